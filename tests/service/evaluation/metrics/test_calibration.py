"""Calibration errors, against a plain loop over bins and at their limits."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve as sklearn_curve

from service.evaluation.metrics.calibration import (
    accuracy_of_bins,
    adaptive_ece,
    calibration_curve,
    calibration_error,
    ece,
    equal_mass,
    equal_width,
)
from tests.service.evaluation.metrics.samples import of_all, resamples


@pytest.fixture(params=[False, True], ids=["", "ties"])
def rows(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    confidence = rng.beta(4, 1, 300)
    right = rng.random(300) < confidence**2
    return np.round(confidence, 2) if request.param else confidence, right


def by_loop(confidence: np.ndarray, right: np.ndarray, index: np.ndarray) -> float:
    gaps = [
        abs((right[index == b] - confidence[index == b]).sum()) for b in range(int(index.max()) + 1)
    ]
    return float(sum(gaps) / len(right))


def test_ece_is_the_sum_over_bins(rows: tuple[np.ndarray, np.ndarray]) -> None:
    found = of_all(ece(*rows), 300)
    assert found == pytest.approx(by_loop(*rows, equal_width(rows[0]).index))
    adaptive = of_all(adaptive_ece(*rows), 300)
    assert adaptive == pytest.approx(by_loop(*rows, equal_mass(rows[0]).index))


@pytest.mark.parametrize("statistic", [ece, adaptive_ece])
def test_weights_are_repeated_rows(rows: tuple[np.ndarray, np.ndarray], statistic: object) -> None:
    assert callable(statistic)
    weights = resamples(3, 300)
    for weight, found in zip(weights.T, statistic(*rows)(weights), strict=True):
        index = np.repeat(np.arange(300), weight.astype(int))
        alone = of_all(statistic(rows[0][index], rows[1][index]), len(index))
        assert found == pytest.approx(alone, abs=1e-12)


def test_bins_are_those_of_sklearn(rows: tuple[np.ndarray, np.ndarray]) -> None:
    confidence, right = rows
    binned = equal_width(confidence, 10)
    wanted, _ = sklearn_curve(right, confidence - 1e-9, n_bins=10)
    found = of_all(accuracy_of_bins(binned, right), 300)
    assert found[np.isfinite(found)] == pytest.approx(wanted)


def test_bins_of_equal_mass_have_equal_numbers_of_rows() -> None:
    binned = equal_mass(np.random.default_rng(2).random(300), 15)
    assert np.bincount(binned.index).tolist() == [20] * 15


@pytest.mark.parametrize("statistic", [ece, adaptive_ece])
def test_error_is_0_if_all_are_right_with_confidence_1(statistic: object) -> None:
    assert callable(statistic)
    assert of_all(statistic(np.ones(20), np.ones(20, bool)), 20) == 0
    assert of_all(statistic(np.ones(20), np.zeros(20, bool)), 20) == 1
    assert of_all(statistic(np.full(20, 0.75), np.arange(20) < 15), 20) == 0


def test_bin_without_rows_has_no_accuracy() -> None:
    found = of_all(accuracy_of_bins(equal_width(np.array([0.9]), 2), np.array([True])), 1)
    assert np.isnan(found[0])
    assert found[1] == 1
    assert equal_mass(np.full(5, 0.5)).count == 1


def test_curve_of_uniform_transforms_is_the_diagonal() -> None:
    pit, levels = (np.arange(1000) + 0.5) / 1000, [0.1, 0.5, 0.9]
    assert of_all(calibration_curve(pit, levels), 1000) == pytest.approx(levels)
    assert of_all(calibration_error(pit, levels), 1000) == pytest.approx(0, abs=1e-12)
    assert of_all(calibration_error(np.zeros(5), [0.25, 0.75]), 5) == 0.5
