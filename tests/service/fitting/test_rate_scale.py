from typing import Any

import numpy as np
import pytest

from service.fitting.rate_scale import fit_rate_scale, maximum_scale


def bowl(at: float, noise: float) -> Any:
    """Losses with a minimum at a scale, of rows that differ in what they gain there."""
    rows = np.random.default_rng(0).normal(1, noise, 200)
    return lambda scale, seed: rows * (scale - at) ** 2


def test_scale_is_refined_beside_the_best_of_the_grid() -> None:
    found = fit_rate_scale(bowl(0.57, 0.1), 3.0)
    assert found.value == found.best == pytest.approx(0.57, abs=0.04)
    assert list(found.curve) == sorted(found.curve)
    assert found.gain == pytest.approx(found.curve[1.0] - found.curve[found.best])


def test_scale_stays_one_if_the_gain_is_within_its_standard_error() -> None:
    found = fit_rate_scale(bowl(0.57, 1000.0), 3.0)
    assert (found.value, found.gain <= 2 * found.standard_error) == (1.0, True)


def test_standard_error_is_that_of_the_mean_of_differences() -> None:
    losses = bowl(2.0, 0.3)
    found = fit_rate_scale(losses, 3.0)
    gains = losses(1.0, 1) - losses(found.best, 1)
    resampled = np.random.default_rng(1).choice(gains, (4000, 200)).mean(axis=1).std()
    assert found.standard_error == pytest.approx(resampled, rel=0.1)  # the bootstrap's


def test_scale_of_zero_is_shown_and_never_chosen() -> None:
    found = fit_rate_scale(bowl(0.0, 0.1), 3.0)
    assert found.value > 0
    assert found.curve[0.0] < found.curve[found.value]


def test_scales_beyond_the_maximum_are_not_tried() -> None:
    found = fit_rate_scale(bowl(5.0, 0.1), 1.6)
    assert max(found.curve) <= 1.6


def test_maximum_scale_makes_the_largest_rate_one() -> None:
    assert maximum_scale(np.array([0.1, 0.5, 0.25])) == 2


def test_scale_that_is_best_by_the_luck_of_one_seed_is_not_chosen() -> None:
    found = fit_rate_scale(lambda scale, seed: np.full(50, float(seed or scale != 1.5)), 3.0)
    assert (found.best, found.gain, found.value) == (1.5, 0, 1)
