from typing import Any

import numpy as np
import pytest

from service.core.temperature import tempered
from service.evaluation.metrics.classification import nll
from service.fitting.temperature import fit_temperature

Array = np.ndarray[Any, Any]


def labeled(rows: int, temperature: float, classes: int, seed: int = 0) -> tuple[Array, Array]:
    """Probabilities, and labels drawn from them at another temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (rows, classes))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    told = true**temperature / (true**temperature).sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)
    return told, np.minimum(labels, classes - 1)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_temperature_of_labels_drawn_at_it_is_recovered(temperature: float, classes: int) -> None:
    found = fit_temperature(*labeled(40_000, temperature, classes))
    assert found == pytest.approx(temperature, rel=0.06)  # five standard errors or more


def test_temperature_has_the_least_loss_of_a_grid() -> None:
    probabilities, labels = labeled(5_000, 1.7, 4)
    found = fit_temperature(probabilities, labels)
    best = nll(tempered(probabilities, found), labels).mean()
    grid = [nll(tempered(probabilities, t), labels).mean() for t in np.geomspace(0.2, 5, 60)]
    assert best < min(grid) + 1e-4


def test_rows_that_are_all_right_give_no_extreme_temperature() -> None:
    probabilities = np.tile([0.9, 0.06, 0.04], (50, 1))
    found = fit_temperature(probabilities, np.zeros(50, int))
    # One row in 52 is expected to be wrong: ln(51) / T is the log-odds of 0.9 and 0.06 at that T.
    assert 0.5 < found < 1


def test_probability_of_zero_of_the_observed_class_gives_a_finite_temperature() -> None:
    probabilities = np.array([[1.0, 0.0], [0.7, 0.3]])
    assert np.isfinite(fit_temperature(probabilities, np.array([1, 0])))
