"""Bootstrap: confidence intervals of statistics from resampled rows."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.evaluation.document import Bootstrap, Estimate
from service.evaluation.metrics.statistic import Distance, Statistic

Array = NDArray[Any]
K = TypeVar("K", bound=Hashable)

#: Numbers of an array of weights: the ten or so arrays of such a size that an area under a curve
#: takes then fit into the cache.
_NUMBERS = 1 << 18
#: Share of the resamples in which a statistic must be defined to have an interval.
_DEFINED = 0.9


@dataclass(frozen=True, eq=False)
class Estimated:
    """A statistic and its interval.

    Attributes:
        value: (…) float64, of the rows as they are; NaN where it is not defined.
        low, high: (…) float64, ends of the interval; NaN where there is none. That of a `Distance`
            may be below its value, which is then too high by more than chance moves it.
    """

    value: Array
    low: Array
    high: Array

    def at(self, *index: int) -> Estimate:
        """One number, for a document."""
        value, low, high = (_number(y[index]) for y in (self.value, self.low, self.high))
        return (
            Estimate(value=value, low=low, high=high) if value is not None else Estimate(value=None)
        )


def estimate(
    statistics: Mapping[K, Statistic],
    strata: Sequence[int],
    bootstrap: Bootstrap,
    progress: Callable[[int], None] | None = None,
    differences: Mapping[K, tuple[K, K]] | None = None,
) -> dict[K, Estimated]:
    """Statistics of rows, with percentile intervals (Efron & Tibshirani 1993, section 13.3).

    Those of a `Distance`, and of its differences, are basic intervals (Davison & Hinkley 1997,
    section 5.2): resamples add to its bias about what the sample has added, which these take off
    twice, and percentiles would keep twice.

    All statistics see the same resamples, so that settings are compared on the same rows. The
    result depends on the seed, and on the memory by rounding only.

    Args:
        statistics: by key, each of all rows.
        strata: numbers of rows of data sets that are resampled apart, in the order of the rows.
        bootstrap: number of resamples, 0 for none, confidence and seed.
        progress: is told how many resamples have been made since it was last told.
        differences: by a further key, a statistic and the one to be subtracted in each resample.
    """
    ones = np.ones((sum(strata), 1))
    values: dict[K, Array] = {key: statistic(ones)[0] for key, statistic in statistics.items()}
    found: dict[K, list[Array]] = {key: [] for key in statistics}
    for weights in _weights(strata, bootstrap):
        for key, statistic in statistics.items():
            found[key].append(statistic(weights))
        if progress is not None:
            progress(weights.shape[1])
    resampled = {key: np.concatenate(parts) for key, parts in found.items() if parts}
    least = {key: 0.0 for key, one in statistics.items() if isinstance(one, Distance)}
    for key, (one, other) in (differences or {}).items():
        values[key] = values[one] - values[other]
        if resampled:
            resampled[key] = resampled[one] - resampled[other]
        if one in least:
            least[key] = -np.inf
    return {
        key: _estimated(value, resampled.get(key), bootstrap, least.get(key))
        for key, value in values.items()
    }


def _weights(strata: Sequence[int], bootstrap: Bootstrap) -> Iterator[Array]:
    """(N, R) float64: how often each row counts in some resamples."""
    # Each data set has random numbers of its own, whatever others there are.
    rngs = [np.random.default_rng([bootstrap.seed, index]) for index in range(len(strata))]
    each = max(1, _NUMBERS // sum(strata))
    for first in range(0, bootstrap.resamples, each):
        count = min(each, bootstrap.resamples - first)
        yield np.stack([_resample(rngs, strata) for _ in range(count)], axis=1)


def _resample(rngs: Sequence[np.random.Generator], strata: Sequence[int]) -> Array:
    pairs = zip(rngs, strata, strict=True)
    counts = [np.bincount(rng.integers(0, n, n), minlength=n) for rng, n in pairs]
    return np.concatenate(counts).astype(np.float64)


def _estimated(
    value: Array, resampled: Array | None, bootstrap: Bootstrap, least: float | None
) -> Estimated:
    """`least`: that the statistic may be, of a basic interval; None: it has that of percentiles."""
    value = np.asarray(value)
    none = np.full(value.shape, np.nan)
    if resampled is None:
        return Estimated(value, none, none)
    enough = np.isfinite(resampled).mean(axis=0) >= _DEFINED
    resampled = np.where(np.isfinite(resampled) | ~enough, resampled, np.nan)
    resampled = np.where(enough, resampled, 0.0)
    tail = (1 - bootstrap.confidence) / 2
    low, high = np.nanquantile(resampled, [tail, 1 - tail], axis=0)
    if least is not None:
        low, high = (np.maximum(2 * value - end, least) for end in (high, low))
    return Estimated(value, np.where(enough, low, np.nan), np.where(enough, high, np.nan))


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
