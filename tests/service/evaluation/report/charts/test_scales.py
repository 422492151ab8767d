"""Positions and ticks."""

import math

import pytest

from service.evaluation.report.charts.scales import Linear, Logarithmic, around


def test_linear_scale_is_proportional_and_ends_at_its_ends() -> None:
    scale = Linear(10.0, 20.0, start=200.0, end=0.0)
    assert [scale(value) for value in (5.0, 10.0, 12.5, 20.0, 99.0)] == [200, 200, 150, 0, 0]


def test_logarithmic_scale_places_equal_ratios_equally() -> None:
    scale = Logarithmic(1.0, 1000.0, 0.0, 300.0)
    assert [scale(value) for value in (0.0, 1.0, 10.0, 100.0)] == pytest.approx([0, 0, 100, 200])


def test_nan_has_no_position() -> None:
    assert math.isnan(Linear(0.0, 1.0)(math.nan))
    assert math.isnan(Logarithmic(1.0, 10.0)(math.nan))


@pytest.mark.parametrize(
    ("low", "high", "units", "ticks"),
    [
        (0.0, 1.0, 300.0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.0, 1.0, 200.0, [0, 0.25, 0.5, 0.75, 1]),
        (-3.0, 7.0, 100.0, [0, 5]),
        (0.00123, 0.00131, 140.0, [0.00125, 0.0013]),
    ],
)
def test_linear_ticks_are_round_and_far_enough_apart(
    low: float, high: float, units: float, ticks: list[float]
) -> None:
    assert Linear(low, high, 0.0, units).ticks() == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(1.0, 1000.0, [1, 10, 100, 1000]), (10.0, 100.0, [10, 20, 50, 100]), (3.0, 4.0, [])],
)
def test_logarithmic_ticks_are_powers_of_ten_where_those_are_enough(
    low: float, high: float, ticks: list[float]
) -> None:
    assert Logarithmic(low, high).ticks() == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, math.nan, 3.0], (0.88, 3.12)),
        ([2.0, 2.0], (1.88, 2.12)),
        ([], (-0.06, 1.06)),
        ([math.nan], (-0.06, 1.06)),
        ([0.0], (-0.06, 0.06)),
    ],
)
def test_range_holds_all_finite_values(values: list[float], expected: tuple[float, float]) -> None:
    assert around(values) == pytest.approx(expected)


def test_range_from_zero_begins_there() -> None:
    assert around([1.0, 2.0], from_zero=True) == pytest.approx((0.0, 2.12))
    assert around([0.0], from_zero=True)[1] > 0
