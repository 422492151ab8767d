"""How much two floating-point computations of the same value may differ.

A fixed share of the output's scale is too little for a deep network, whose own error may be
ten times that, and much for a shallow one. Therefore the tolerance is measured on the
reference: how much its output changes when its input changes by two units in the last place,
or when a row is computed alone. Right conversions of networks with realistic statistics, from
64 to 224 pixels, differed by at most 3.7 times that; ones with a kernel in float16 by 146
times and more, with all kernels × (1 + 1e-5) by 50.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.tolerances import FACTOR, SHARE

Array = NDArray[Any]


@dataclass(frozen=True)
class Difference:
    """The difference of the row that is closest to its tolerance, or exceeds it the most.

    Attributes:
        found: relative to the largest output of that row.
        allowed: likewise.
    """

    found: float
    allowed: float

    @property
    def is_rounding(self) -> bool:
        return self.found <= self.allowed


def neighbor(x: Array, seed: int) -> Array:
    """`x` with each number moved by two units in the last place; integers are unchanged."""
    if not np.issubdtype(x.dtype, np.floating):
        return x
    signs = np.random.default_rng(seed).choice(np.array([-2, 2], x.dtype), x.shape)
    moved: Array = (x + signs * np.spacing(np.abs(x))).astype(x.dtype)
    return moved


def allowed(wanted: Array, variants: Sequence[Array], least: float) -> NDArray[np.float64]:
    """The tolerance for rounding of each row.

    Args:
        wanted: (B, …) of the reference.
        variants: (B, …) each, of the reference with a slightly changed input or batch.
        least: share of a row's largest output that always counts as rounding.

    Returns:
        (B,), in the unit of `wanted`.
    """
    floors = [_by_row(variant, wanted) for variant in variants]
    # A variant in which the row is not finite does not count.
    floor = np.max([np.where(np.isfinite(f), f, 0.0) for f in floors], axis=0, initial=0.0)
    limits: NDArray[np.float64] = FACTOR * np.maximum(least * _scale(wanted), floor)
    return limits


def share_of(relative: float) -> float:
    """The `least` with which a relative difference is just allowed."""
    return relative / FACTOR


def difference(found: Array, wanted: Array, limits: NDArray[np.float64]) -> Difference:
    """Compare (B, …) with the reference, within (B,) `limits`; NaN equals NaN."""
    by_row, scale = _by_row(found, wanted), _scale(wanted)
    with np.errstate(over="ignore"):
        worst = int(np.argmax(by_row / np.maximum(limits, np.finfo(np.float64).tiny)))
    unit = scale[worst] or 1.0
    return Difference(float(by_row[worst] / unit), float(limits[worst] / unit))


def worst(differences: Sequence[Difference]) -> Difference:
    """The difference that exceeds its tolerance the most, or is closest to it."""
    return max(differences, key=lambda one: one.found / (one.allowed or np.finfo(float).tiny))


def _by_row(found: Array, wanted: Array) -> NDArray[np.float64]:
    """(B,) maximum difference; infinite where only one of the two is NaN."""
    a, b = (y.astype(np.float64).reshape(len(y), -1) for y in (found, wanted))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        differences = np.where(same, 0.0, np.abs(a - b))
    largest: NDArray[np.float64] = np.max(
        np.nan_to_num(differences, nan=np.inf, posinf=np.inf), axis=1, initial=0.0
    )
    return largest


def _scale(wanted: Array) -> NDArray[np.float64]:
    """(B,) maximum absolute output."""
    sizes = np.abs(wanted.astype(np.float64).reshape(len(wanted), -1))
    own = np.max(sizes, axis=1, initial=0.0, where=np.isfinite(sizes))
    scale: NDArray[np.float64] = np.maximum(own, SHARE * own.max(initial=0.0))
    return scale
