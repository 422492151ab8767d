"""Random rows and resamples."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.evaluation.metrics.statistic import Statistic

Array = NDArray[Any]


def scores(seed: int, rows: int = 60, ties: bool = False) -> tuple[Array, Array]:
    """(N,) scores, some of which are equal if wanted, and (N,) bool that depends on them."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=rows)
    wanted = score + rng.normal(size=rows) > 0.5
    return np.round(score, 1) if ties else score, wanted


def resamples(seed: int, rows: int, count: int = 5) -> Array:
    """(N, R) float64: how often each row counts."""
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, rows, (count, rows))
    return np.stack([np.bincount(draw, minlength=rows) for draw in draws], axis=1).astype(
        np.float64
    )


def of_all(statistic: Statistic, rows: int) -> Any:
    """The value of a statistic, every row counting once."""
    return statistic(np.ones((rows, 1)))[0]
