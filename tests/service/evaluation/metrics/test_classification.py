"""Losses of class probabilities, against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss

from service.evaluation.metrics.classification import both_classes, brier, nll, wrong


@pytest.fixture
def drawn() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.dirichlet(np.ones(4), 200), rng.integers(0, 4, 200)


def test_means_are_those_of_sklearn(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    p, y = drawn
    assert nll(p, y).mean() == pytest.approx(log_loss(y, p))
    scaled = brier_score_loss(y, p, scale_by_half=False)
    assert brier(p, y).mean() == pytest.approx(scaled)
    assert 1 - wrong(p, y).mean() == pytest.approx(accuracy_score(y, p.argmax(axis=1)))


def test_single_probability_is_that_of_the_second_class() -> None:
    p = both_classes(np.array([[0.75], [0.25]]))
    y = np.array([1, 1])
    assert nll(p, y) == pytest.approx([-np.log(0.75), -np.log(0.25)])
    assert brier(p, y) == pytest.approx([2 * 0.25**2, 2 * 0.75**2])
    assert wrong(p, y).tolist() == [0, 1]


def test_steps_have_losses_of_their_own() -> None:
    p = np.array([[[1.0, 0.0], [0.5, 0.5]]])
    assert nll(p, np.array([[0, 1]])).tolist() == [[0.0, pytest.approx(np.log(2))]]


def test_loss_of_a_probability_of_0_is_finite() -> None:
    p = np.array([[1.0, 0.0]], np.float32)
    assert nll(p, np.array([1])) == pytest.approx([87.336], abs=1e-3)
    assert brier(p, np.array([1])).tolist() == [2]
