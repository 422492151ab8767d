"""The factor of all dropout rates with which a model fits data best."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: From a scale, and a number that chooses a seed, to the (N,) negative log-likelihood of each row.
Losses: TypeAlias = Callable[[float, int], Array]

#: Scales that are tried first, in addition to 1; those above the maximum are left out.
GRID = (0.0, 0.25, 0.5, 0.75, 1.25, 1.5, 2.0, 2.5, 3.0)
#: Scales that are tried then on either side of the best.
_REFINED = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class RateScale:
    """A rate scale and why.

    Attributes:
        value: 1, or the best scale if that gains more than chance.
        best: the scale above 0 with the least loss.
        gain: by how much the mean loss is less there than with a scale of 1, in nats, by a seed
            that did not choose it.
        standard_error: of the gain.
        curve: scale to mean loss, in ascending order.
    """

    value: float
    best: float
    gain: float
    standard_error: float
    curve: Mapping[float, float]


def fit_rate_scale(losses: Losses, maximum: float) -> RateScale:
    """The scale of all dropout rates with the least mean loss.

    The scales share one seed, so that they are compared with common random numbers. The best is
    then compared with a scale of 1 by another seed, because a scale may be the best by the luck of
    its passes. The scale stays 1 unless this gain exceeds twice its standard error, std / √N of the
    differences by row: the ideal bootstrap's standard error of a mean (Efron & Tibshirani 1993,
    section 5.2), without its random numbers. A scale of 0 is shown for comparison and never chosen,
    because without dropout there is no uncertainty.

    Args:
        losses: see `Losses`; the numbers of a seed are 0 and 1.
        maximum: of the scale, at least 1; with it the largest dropout rate is 1.
    """
    found: dict[float, Array] = {}
    _try(losses, found, (1.0, *(scale for scale in GRID if scale <= maximum)))
    _try(losses, found, _between(found))
    best = _best(found)
    gains = losses(1.0, 1) - losses(best, 1)
    gain, error = float(gains.mean()), float(gains.std()) / sqrt(len(gains))
    return RateScale(
        value=best if gain > 2 * error else 1.0,
        best=best,
        gain=gain,
        standard_error=error,
        curve={scale: float(found[scale].mean()) for scale in sorted(found)},
    )


def maximum_scale(rates: Array) -> float:
    """The scale with which the largest of some dropout rates is 1; at least 1.

    Args:
        rates: (sites,) from 0 to 1.
    """
    return 1 / float(np.max(rates, initial=np.finfo(np.float64).tiny))


def _try(losses: Losses, found: dict[float, Array], scales: Iterable[float]) -> None:
    found.update({scale: losses(scale, 0) for scale in scales if scale not in found})


def _best(found: Mapping[float, Array]) -> float:
    """The scale above 0 with the least loss; of equal ones the nearest to 1."""
    able = (scale for scale in found if scale > 0)
    return min(able, key=lambda scale: (float(found[scale].mean()), abs(scale - 1)))


def _between(found: Mapping[float, Array]) -> tuple[float, ...]:
    """Scales on either side of the best."""
    scales, best = sorted(found), _best(found)
    place = scales.index(best)
    neighbors = scales[place - 1 : place] + scales[place + 1 : place + 2]
    return tuple(best + part * (other - best) for other in neighbors for part in _REFINED)
