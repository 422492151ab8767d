"""The risk-coverage curve and its area, against their definitions."""

from itertools import permutations

import numpy as np
import pytest

from service.evaluation.metrics.risk_coverage import aurc, curve, excess_aurc
from tests.service.evaluation.metrics.samples import of_all, resamples, scores


def by_definition(loss: np.ndarray) -> float:
    """The mean risk of the first 1, 2, … rows of losses in order."""
    return float((np.cumsum(loss) / np.arange(1, len(loss) + 1)).mean())


def test_area_is_the_mean_risk_of_the_first_rows() -> None:
    score, wrong = scores(1)
    found = of_all(aurc(score, wrong), len(score))
    assert found == pytest.approx(by_definition(wrong[np.argsort(score)]), abs=1e-12)


def test_area_with_equal_scores_is_the_mean_over_their_orders() -> None:
    score, loss = np.array([0.0, 1, 1, 1, 2]), np.array([1.0, 5, 0, 2, 1])
    orders = [loss[[0, *middle, 4]] for middle in permutations([1, 2, 3])]
    wanted = np.mean([by_definition(order) for order in orders])
    assert of_all(aurc(score, loss), 5) == pytest.approx(wanted, abs=1e-12)


def test_weights_are_repeated_rows() -> None:
    score, wrong = scores(2, ties=True)
    weights = resamples(3, len(score))
    for weight, found in zip(weights.T, aurc(score, wrong)(weights), strict=True):
        rows = np.repeat(np.arange(len(score)), weight.astype(int))
        assert found == pytest.approx(of_all(aurc(score[rows], wrong[rows]), len(rows)), abs=1e-12)


def test_limits_are_the_mean_risk_and_the_best_order() -> None:
    _, wrong = scores(4)
    rows = len(wrong)
    assert of_all(aurc(np.zeros(rows), wrong), rows) == pytest.approx(wrong.mean())
    assert of_all(excess_aurc(wrong.astype(float), wrong), rows) == 0
    assert of_all(excess_aurc(-1.0 * wrong, wrong), rows) > 0
    assert of_all(aurc(np.arange(rows), np.zeros(rows)), rows) == 0


def test_curve_ends_with_all_rows_and_their_mean_loss() -> None:
    score, loss = np.array([3.0, 1, 2, 2]), np.array([1.0, 0, 1, 0])
    found = curve(score, loss)
    assert found.coverage.tolist() == [0.25, 0.75, 1]
    assert found.risk == pytest.approx([0, 1 / 3, 0.5])
