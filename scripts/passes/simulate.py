"""Runs of a stopping rule on the rows of a pool."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.passes.pools import Float64, Pool
from service.core.moments import Moments, Sums
from service.core.stopping import Rule
from service.core.student import t_quantile

#: Of two-sided intervals.
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Runs:
    """R runs of a rule on each of B rows, with K elements.

    Attributes:
        passes: (B, R) number of passes.
        settled: (B, R) whether the rule was met.
        mean: (B, R, K).
        standard_error: (B, R, K) as reported.
        truth: (B, K) mean of the pool.
    """

    passes: NDArray[np.int64]
    settled: NDArray[np.bool_]
    mean: Float64
    standard_error: Float64
    truth: Float64

    @property
    def error(self) -> Float64:
        """(B, R, K) of the mean."""
        return self.mean - self.truth[:, None]

    @property
    def covered(self) -> NDArray[np.bool_]:
        """(B, R, K) whether an interval of 95 %, by Student's t, has the true mean."""
        width = np.vectorize(lambda n: t_quantile((1 + _CONFIDENCE) / 2, n - 1))(self.passes)
        covered: NDArray[np.bool_] = np.abs(self.error) <= width[..., None] * self.standard_error
        return covered


def simulate(rule: Rule, pool: Pool, runs: int, random: np.random.Generator) -> Runs:
    """Run a rule on the rows of a pool, each by itself."""
    rows = [_of_row(rule, pool.row(row), runs, random) for row in range(len(pool.mean))]
    passes, settled, mean, error = map(np.stack, zip(*rows, strict=True))
    return Runs(passes, settled, mean, error, pool.mean)


def _of_row(
    rule: Rule, row: Pool, runs: int, random: np.random.Generator
) -> tuple[NDArray[Any], ...]:
    found = row.run(runs, rule.looks, random)
    running: list[Any] = [_Running(moments) for moments in found]
    met = np.stack([rule.settled({"": one}) for one in running])
    settled, each = np.asarray(met.any(axis=0)), np.arange(runs)
    stop = np.where(settled, met.argmax(axis=0), len(found) - 1)
    mean = np.stack([moments.mean for moments in found])[stop, each]
    error = np.stack([moments.standard_error for moments in found])[stop, each]
    return np.array(rule.looks)[stop], settled, mean, error


class _Running:
    """What a rule looks at, in place of the samples of a job."""

    def __init__(self, moments: Moments) -> None:
        self._moments = moments
        self.sums = Sums.start(moments.mean[None])

    def moments(self) -> Moments:
        return self._moments
