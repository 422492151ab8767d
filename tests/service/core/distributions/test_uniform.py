from typing import Any

import numpy as np
import pytest

from service.core.distributions.uniform import Uniform
from service.core.streams import Stream

PINNED = [[13300556, 261721], [13283205, 8671556]]
PINNED_STRATIFIED = [[12006515, 11270823], [5498173, 1573542]]
STREAM, SHAPE = Stream(7, 0, range(2000)), (50,)


each_draw = pytest.mark.parametrize("draw", [Uniform().row, Uniform().stratified])


@each_draw
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_uniform_is_in_0_to_below_1_in_every_precision(dtype: type, draw: Any) -> None:
    numbers = draw(STREAM, SHAPE, dtype)
    assert numbers.dtype == dtype
    assert numbers.min() >= 0
    assert numbers.max() < 1


@each_draw
def test_uniform_is_uniform(draw: Any) -> None:
    counts = np.bincount((draw(STREAM, SHAPE, np.float32) * 16).astype(int).ravel())
    square = ((counts - 6250.0) ** 2 / 6250.0).sum()
    # The 1 - 1e-8 quantile of chi-square with 15 degrees of freedom is 68.03.
    assert square < 68.1


def test_uniform_is_pinned() -> None:
    """A change here would change the answers that stored seeds reproduce."""
    numbers = Uniform().row(Stream(2016, 3, range(5, 7)), (2,), np.float64)
    assert (numbers * 2**24).astype(int).tolist() == PINNED
    stratified = Uniform().stratified(Stream(2016, 3, range(5, 7)), (2,), np.float64)
    assert (stratified * 2**24).astype(int).tolist() == PINNED_STRATIFIED
