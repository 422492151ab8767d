"""How far the passes are from each other."""

import math
from typing import Any

import numpy as np
import pytest

from service.core.measures import Facts, read_measures
from service.core.measures.interval import Interval
from service.core.measures.max import Max
from service.core.measures.min import Min
from service.core.measures.samples import Samples
from service.core.measures.standard_error import StandardError
from service.core.measures.std import Std
from service.errors import InputError
from tests.service.core.measures.of_samples import measured

SAMPLES = np.random.default_rng(0).normal(3.0, 2.0, (57, 4, 2))
EQUAL = np.full((9, 4, 2), 0.1)


def test_std_and_standard_error_are_those_of_numpy() -> None:
    std = SAMPLES.std(axis=0, ddof=1)
    np.testing.assert_allclose(measured(Std(), SAMPLES), std, rtol=1e-12)
    np.testing.assert_allclose(measured(StandardError(), SAMPLES), std / math.sqrt(57), rtol=1e-12)


def test_extremes_and_samples_are_of_the_passes() -> None:
    np.testing.assert_array_equal(measured(Min(), SAMPLES), SAMPLES.min(axis=0))
    np.testing.assert_array_equal(measured(Max(), SAMPLES), SAMPLES.max(axis=0))
    np.testing.assert_array_equal(measured(Samples(), SAMPLES), SAMPLES.swapaxes(0, 1))


def test_an_interval_has_the_rest_at_its_two_sides() -> None:
    wanted = np.quantile(SAMPLES, [0.05, 0.95], axis=0)
    np.testing.assert_allclose(np.moveaxis(measured(Interval(), SAMPLES), -1, 0), wanted)
    halves = np.quantile(SAMPLES, [0.25, 0.75], axis=0)
    np.testing.assert_allclose(np.moveaxis(measured(Interval(0.5), SAMPLES), -1, 0), halves)


def test_equal_passes_have_no_spread() -> None:
    for spread in (Std(), StandardError()):
        assert (measured(spread, EQUAL) == 0).all()
    for value in (Min(), Max(), Interval(), Samples()):
        assert (measured(value, EQUAL) == 0.1).all()


@pytest.mark.parametrize("level", [1.5, -0.1, math.nan, "0.5", True, [0.9], None])
def test_a_level_is_a_number_from_0_to_1(level: Any) -> None:
    with pytest.raises(InputError, match=r"measures gives 'interval' .*; it takes a number from"):
        read_measures([{"interval": {"level": level}}], [Facts("y", (None, 1))])
