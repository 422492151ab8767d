"""Areas under curves, against scikit-learn and at their limits."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from service.evaluation.metrics.ranking import auroc, average_precision, fpr_at
from tests.service.evaluation.metrics.samples import of_all, resamples, scores


@pytest.mark.parametrize("ties", [False, True])
def test_areas_of_resamples_are_those_of_sklearn(ties: bool) -> None:
    score, wanted = scores(1, ties=ties)
    weights = resamples(2, len(score))
    areas, precisions = auroc(score, wanted)(weights), average_precision(score, wanted)(weights)
    for weight, area, precision in zip(weights.T, areas, precisions, strict=True):
        assert area == pytest.approx(roc_auc_score(wanted, score, sample_weight=weight), abs=1e-12)
        assert precision == pytest.approx(
            average_precision_score(wanted, score, sample_weight=weight), abs=1e-12
        )


@pytest.mark.parametrize("ties", [False, True])
def test_fpr_is_that_of_the_first_point_of_the_roc_curve_with_enough_accepted(ties: bool) -> None:
    score, out = scores(3, ties=ties)
    fpr, tpr, _ = roc_curve(~out, -score, drop_intermediate=False)
    for accepted in (0.5, 0.8, 0.95, 1.0):
        found = of_all(fpr_at(score, out, accepted), len(score))
        assert found == pytest.approx(fpr[tpr >= accepted - 1e-12][0])


def test_constant_score_finds_nothing() -> None:
    wanted = np.array([True, False, False, False])
    assert of_all(auroc(np.zeros(4), wanted), 4) == 0.5
    assert of_all(average_precision(np.zeros(4), wanted), 4) == 0.25
    assert of_all(fpr_at(np.zeros(4), wanted), 4) == 1


@pytest.mark.parametrize("wanted", [np.zeros(3, bool), np.ones(3, bool)])
def test_one_kind_of_rows_has_no_auroc(wanted: np.ndarray) -> None:
    assert np.isnan(of_all(auroc(np.arange(3.0), wanted), 3))
    assert np.isnan(of_all(fpr_at(np.arange(3.0), wanted), 3))
    precision = of_all(average_precision(np.arange(3.0), wanted), 3)
    assert np.isnan(precision) if not wanted.any() else precision == 1


def test_perfect_score_finds_all() -> None:
    score, wanted = np.arange(10.0), np.arange(10) > 6
    assert of_all(auroc(score, wanted), 10) == 1
    assert of_all(average_precision(score, wanted), 10) == 1
    assert of_all(fpr_at(score, wanted), 10) == 0
