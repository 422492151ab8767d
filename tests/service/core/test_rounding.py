"""What counts as a rounding difference."""

import numpy as np
import pytest

from service.core.rounding import Difference, allowed, difference, neighbor, worst
from service.core.tolerances import LEAST


def test_neighbor_is_two_units_in_the_last_place_away() -> None:
    x = np.array([1.0, -3.0, 1e-3, 0.0], np.float32)
    for seed in range(4):
        assert (np.abs(neighbor(x, seed) - x) == 2 * np.spacing(np.abs(x))).all()
    assert (neighbor(np.arange(3), 0) == np.arange(3)).all()


def test_limits_are_six_times_the_scale_or_the_floor_by_row() -> None:
    wanted = np.array([[1.0, -2.0], [4.0, 1.0], [0.0, 0.1]])
    variant = wanted + np.array([[0, 0], [1e-3, -2e-3], [0, 0]])
    np.testing.assert_allclose(
        allowed(wanted, [wanted, variant], LEAST), 6 * np.array([2e-6, 2e-3, 0.1 * 4e-6])
    )


def test_row_nearest_to_its_limit_is_reported() -> None:
    wanted = np.array([[10.0], [1.0]])
    found = difference(wanted + np.array([[1e-4], [2e-5]]), wanted, np.array([1e-3, 1e-5]))
    assert found.found == pytest.approx(2e-5)
    assert not found.is_rounding
    assert worst([Difference(0.0, 0.0), found, Difference(1e-5, 1e-3)]) is found


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_equals_nan_and_nothing_else(value: float) -> None:
    wanted = np.array([[value, 1.0], [2.0, 1.0]])
    limits = allowed(wanted, [wanted], LEAST)
    assert difference(wanted, wanted, limits) == Difference(0.0, limits[0])
    other = np.where(np.isfinite(wanted), wanted, 1.0)
    for one, two in ((other, wanted), (wanted, other)):
        assert difference(one, two, limits).found == np.inf
