import numpy as np
import pytest

from service.fitting.noise_precision import fit_noise_precision


def test_precision_without_variance_over_passes_is_that_of_the_errors() -> None:
    errors = np.random.default_rng(0).normal(0, 3, 1000)
    found = fit_noise_precision(errors, np.zeros(1000))
    assert found == pytest.approx(1 / np.mean(errors**2), rel=1e-4)  # the closed form


def test_precision_of_noise_is_recovered_beside_variance_over_passes() -> None:
    rng = np.random.default_rng(1)
    variance = rng.uniform(0.1, 4, 40_000)
    errors = rng.normal(0, np.sqrt(variance + 1 / 0.5))
    # The standard error of the variance is about its value × √(2 / N) × 1.6, a hundredth of it.
    assert fit_noise_precision(errors, variance) == pytest.approx(0.5, rel=0.07)


def test_variance_over_passes_above_the_errors_leaves_no_noise() -> None:
    errors = np.random.default_rng(2).normal(0, 0.1, 500)
    assert fit_noise_precision(errors, np.full(500, 2.0)) is None


def test_targets_that_equal_the_predictions_leave_no_noise() -> None:
    assert fit_noise_precision(np.zeros(10), np.ones(10)) is None
