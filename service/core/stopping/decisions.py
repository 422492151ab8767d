"""Enough passes for a decision."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.core.measures.base import Sampled
from service.core.measures.bound import BoundMeasure
from service.core.measures.facts import View
from service.core.moments import Moments, moments
from service.core.stopping.block_moments import NUMBER_BYTES, BlockMoments, Blocks
from service.core.stopping.criterion import Bools, Criterion
from service.core.student import t_quantile
from service.core.summary import Running

Float64 = NDArray[np.float64]


def _standard_deviations(moments: Moments) -> Float64:
    """Of the mean, as of independent passes.

    Stratified passes have a smaller one, or one of at most √(20/19) times that (Owen 1997).
    """
    found: Float64 = np.sqrt(moments.pass_variance / moments.count)
    return found


@dataclass(frozen=True)
class MeanDecision(Criterion):
    """The mean is on one side of a threshold, by Student's t test.

    Attributes:
        threshold: of the mean.
        level: probability of an error on one side, at one look.
    """

    threshold: float
    level: float

    def met(self, running: Running) -> Bools:
        """See `Criterion`."""
        return _is_off(running.moments(), self.threshold, self.level)


@dataclass(frozen=True)
class ClassDecision(Criterion):
    """The predicted class has the largest mean, by Student's t test against each other class.

    These tests share the probability of an error (Bonferroni). The standard deviation of a
    difference of two means is at most the sum of theirs, which is what it is if a class loses what
    the other one gains. A single probability is compared with 0.5.

    Attributes:
        view: how the output is presented to the measures of a classification.
        level: probability of an error at one look.
    """

    view: View
    level: float

    def met(self, running: Running) -> Bools:
        """See `Criterion`; (R, …) of (R, …, K) views."""
        moments = running.moments().map(self.view.array)
        if moments.mean.shape[-1] == 1:
            return _is_off(moments, 0.5, self.level)
        deviation = _standard_deviations(moments)
        best = moments.mean.argmax(axis=-1)[..., None]
        gap = np.take_along_axis(moments.mean, best, axis=-1) - moments.mean
        width = np.take_along_axis(deviation, best, axis=-1) + deviation
        level = self.level / (gap.shape[-1] - 1)
        beaten = gap > t_quantile(1 - level, moments.count - 1) * width
        np.put_along_axis(beaten, best, True, axis=-1)
        return np.asarray(beaten.all(axis=-1))


@dataclass(frozen=True)
class MeasureDecision(Criterion):
    """A measure of mean and variance is on one side of a threshold.

    By Student's t test of the pseudo-values of a jackknife over blocks of passes (Miller 1974,
    "The jackknife - a review"), whose mean is free of the bias b of the measure to first order.
    Their variance is that of the measure where it is linear in the moments. Near an extreme, such
    as that of the entropy of equal probabilities, it is quadratic: then its variance is at most
    2 b², for b is half the trace of HΣ, and the variance half that of (HΣ)², with the measure's
    Hessian H, of one sign, and the covariance Σ of the moments. The sum of both is used.

    Attributes:
        measure: of the means and variances of its output.
        threshold: of the measure.
        level: probability of an error on one side, at one look.
        inner: samples of a pass.
    """

    measure: BoundMeasure
    threshold: float
    level: float
    inner: int = 1

    number_bytes = NUMBER_BYTES

    @property
    def state(self) -> BoundMeasure:  # type: ignore[override]
        """The blocks."""
        return BoundMeasure(BlockMoments(self.inner), self.measure.facts)

    def met(self, running: Running) -> Bools:
        """See `Criterion`."""
        blocks: Blocks = running.states[self.state]
        if len(blocks.sums) < 2:
            return np.zeros(len(blocks.first), np.bool_)
        return self._settled(*self._distance(blocks))

    def _settled(self, distance: Float64, error: Float64, degrees: int) -> Bools:
        """(R, …) whether a distance from the threshold is more than its error explains.

        Args:
            distance: (R, …) estimates.
            error: (R, …) standard errors of these.
            degrees: of freedom of the t distribution.
        """
        return np.asarray(np.abs(distance) > t_quantile(1 - self.level, degrees) * error)

    def _distance(self, blocks: Blocks) -> tuple[Float64, Float64, int]:
        """What `_settled` takes, of two or more blocks."""
        count = len(blocks.sums)
        value, pseudo = blocks.jackknife(self._value)
        found = moments(pseudo)
        error = np.sqrt(found.variance / count + 2 * (value - found.mean) ** 2)
        return found.mean - self.threshold, error, count - 1

    def _value(self, some: Moments) -> Float64:
        return self.measure.finalize(None, Sampled(some), None)


@dataclass(frozen=True)
class AcceptDecision(MeasureDecision):
    """The least certain element of a row is on one side of a threshold.

    Either one element certainly is on the wrong side, or each is on the right one. The tests of
    the elements share the probability of an error (Bonferroni).

    Attributes:
        at_most: whether the right side is below the threshold.
    """

    at_most: bool = True

    def _settled(self, distance: Float64, error: Float64, degrees: int) -> Bools:
        """(R,); see `MeasureDecision`."""
        beyond, flat = (x.reshape(len(x), -1) for x in (distance, error))
        beyond = beyond if self.at_most else -beyond
        width = t_quantile(1 - self.level / flat.shape[1], degrees) * flat
        return np.asarray((beyond > width).any(axis=1) | (beyond < -width).all(axis=1))


def _is_off(moments: Moments, threshold: float, level: float) -> Bools:
    """Whether each mean differs from a threshold, at a one-sided level."""
    width = t_quantile(1 - level, moments.count - 1) * _standard_deviations(moments)
    return np.asarray(np.abs(moments.mean - threshold) > width)
