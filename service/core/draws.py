"""What a site draws, by its kind."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from service.core.masks import draw_masks
from service.core.noise import draw_normal, draw_uniform

#: What a site gives when it changes nothing: a mask of ones, or noise at its middle.
NEUTRAL = {"dropout": 1.0, "spatial_dropout": 1.0, "uniform": 0.5, "normal": 0.0}


def draw(
    kind: str,
    rate: float | None,
    seed: int,
    site: int,
    passes: range,
    shape: Sequence[int],
    dtype: DTypeLike,
) -> NDArray[Any]:
    """Draw for each pass what a site of `kind` needs; (P, *shape) of `dtype`.

    Args:
        kind: a key of `NEUTRAL`.
        rate: of a dropout.
        seed, site, passes, shape, dtype: see `draw_masks`.
    """
    if kind == "uniform":
        return draw_uniform(seed, site, passes, shape, dtype)
    if kind == "normal":
        return draw_normal(seed, site, passes, shape, dtype)
    return draw_masks(seed, site, passes, shape, rate or 0.0, dtype)


def neutral(kind: str, passes: int, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
    """What a site of `kind` gives when it changes nothing; (P, *shape) of `dtype`."""
    return np.full((passes, *shape), NEUTRAL[kind], dtype)
