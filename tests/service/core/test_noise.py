import math

import numpy as np
import pytest

from service.core.draws import NEUTRAL, draw, neutral
from service.core.noise import draw_normal, draw_uniform
from tests.conftest import SIGMAS

PASSES, SHAPE = range(2000), (50,)
COUNT = 100_000


def test_uniform_has_its_moments_and_range() -> None:
    numbers = draw_uniform(7, 0, PASSES, SHAPE)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < SIGMAS * math.sqrt(1 / 12 / COUNT)
    # Var of the sample variance of a uniform: (1/80 - 1/144) / n.
    assert abs(numbers.var() - 1 / 12) < SIGMAS * math.sqrt((1 / 80 - 1 / 144) / COUNT)


def test_normal_has_its_moments_and_tails() -> None:
    numbers = draw_normal(7, 0, PASSES, SHAPE, np.float64)
    assert abs(numbers.mean()) < SIGMAS / math.sqrt(COUNT)
    assert abs(numbers.var() - 1) < SIGMAS * math.sqrt(2 / COUNT)
    beyond = (np.abs(numbers) > 2).mean()
    share = math.erfc(2 / math.sqrt(2))
    assert abs(beyond - share) < SIGMAS * math.sqrt(share / COUNT)
    assert np.isfinite(numbers).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_uniform_stays_below_one_in_every_precision(dtype: type) -> None:
    numbers = draw_uniform(7, 0, PASSES, SHAPE, dtype)
    assert numbers.dtype == dtype
    assert numbers.max() < 1


@pytest.mark.parametrize("draw_numbers", [draw_uniform, draw_normal])
@pytest.mark.parametrize("size", [1, 7, 8, 33])
def test_noise_does_not_depend_on_how_passes_are_cut(draw_numbers: object, size: int) -> None:
    assert callable(draw_numbers)
    whole = draw_numbers(7, 1, range(10), (size,))
    parts = [draw_numbers(7, 1, range(at, at + 5), (size,)) for at in (0, 5)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    assert len(np.unique(whole)) > 9


@pytest.mark.parametrize("kind", NEUTRAL)
def test_draw_gives_each_kind_its_shape(kind: str) -> None:
    rate = 0.5 if "dropout" in kind else None
    numbers = draw(kind, rate, 7, 0, range(3), range(2), (1, 4), np.float32)
    still = neutral(kind, 3, (1, 4), np.float32)
    assert numbers.shape == (3, 2, 1, 4)
    assert still.shape == (3, 1, 1, 4)
    assert numbers.dtype == still.dtype == (np.uint8 if rate else np.float32)
    assert (still == NEUTRAL[kind]).all()


@pytest.mark.parametrize("kind", NEUTRAL)
def test_a_row_draws_the_same_in_any_company(kind: str) -> None:
    rate = 0.3 if "dropout" in kind else None
    rows = draw(kind, rate, 7, 0, range(5), range(4), (40,), np.float32)
    alone = draw(kind, rate, 7, 0, range(5), range(2, 3), (40,), np.float32)
    np.testing.assert_array_equal(rows[:, 2:3], alone)
    assert (rows[:, 0] != rows[:, 1]).any()
