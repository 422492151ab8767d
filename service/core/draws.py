"""What a site draws, by its kind."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from service.core.masks import draw_masks
from service.core.noise import draw_normal, draw_uniform

#: What a site draws that changes nothing: a mask that keeps all, or noise at its middle.
NEUTRAL = {"dropout": 1, "spatial_dropout": 1, "uniform": 0.5, "normal": 0.0}


def draw(
    kind: str,
    rate: float | None,
    seed: int,
    site: int,
    passes: range,
    rows: range,
    shape: Sequence[int],
    dtype: DTypeLike,
) -> NDArray[Any]:
    """Draw what a site of `kind` needs, for each pass and each of `rows`.

    A draw that all rows share is that of row 0: `rows` is range(1).

    Args:
        kind: a key of `NEUTRAL`.
        rate: of a dropout.
        seed, site, passes: see `random_numbers`.
        rows: indices of the rows.
        shape: shape of one draw.
        dtype: of noise.

    Returns:
        (P, R, *shape): uint8 masks of a dropout, else noise of `dtype`.
    """
    if len(rows) == 1:
        return _draw_row(kind, rate, seed, site, passes, rows[0], shape, dtype)[:, None]
    parts = [_draw_row(kind, rate, seed, site, passes, row, shape, dtype) for row in rows]
    return np.stack(parts, axis=1)


def _draw_row(
    kind: str,
    rate: float | None,
    seed: int,
    site: int,
    passes: range,
    row: int,
    shape: Sequence[int],
    dtype: DTypeLike,
) -> NDArray[Any]:
    if kind == "uniform":
        return draw_uniform(seed, site, passes, shape, dtype, row)
    if kind == "normal":
        return draw_normal(seed, site, passes, shape, dtype, row)
    return draw_masks(seed, site, passes, shape, rate or 0.0, row)


def neutral(kind: str, passes: int, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
    """What a site of `kind` draws that changes nothing; (P, 1, *shape), as from `draw`."""
    noise = kind in ("uniform", "normal")
    return np.full((passes, 1, *shape), NEUTRAL[kind], dtype if noise else np.uint8)
