"""Thresholds and what they cover, compared with MAPIE's."""

from typing import Any

import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier
from mapie.conformity_scores import ResidualNormalisedScore
from mapie.regression import ConformalizedQuantileRegressor, SplitConformalRegressor
from scipy.stats import binom
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from service.errors import InputError
from service.fitting.conformal import absolute, aps, cqr, lac, normalized, threshold

Array = np.ndarray[Any, Any]

COVERAGES = (0.6, 0.9, 0.95)


class Told(ClassifierMixin, BaseEstimator):
    """A classifier whose inputs are its probabilities."""

    def __init__(self, classes: int = 4) -> None:
        self.classes = classes

    def fit(self, x: Array, y: Array) -> "Told":
        self.classes_, self.n_features_in_ = np.arange(self.classes), x.shape[1]
        return self

    def predict_proba(self, x: Array) -> Array:
        return x

    def predict(self, x: Array) -> Array:
        found: Array = x.argmax(axis=1)
        return found


class Column(RegressorMixin, BaseEstimator):
    """A regressor that answers with a column of its inputs."""

    def __init__(self, column: int = 0) -> None:
        self.column = column

    def fit(self, x: Array, y: Array) -> "Column":
        self.n_features_in_ = x.shape[1]
        return self

    def predict(self, x: Array) -> Array:
        found: Array = x[:, self.column]
        return found


def classified(rows: int, seed: int) -> tuple[Array, Array]:
    """Probabilities of four classes, sharper than they should be, and labels."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (rows, 4))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.minimum((true.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1), 3)
    return true**1.5 / (true**1.5).sum(axis=1, keepdims=True), labels


def lac_sets(probabilities: Array, at: Any) -> Array:
    found: Array = 1 - probabilities <= at
    return found


def aps_sets(probabilities: Array, at: Any) -> Array:
    above = np.where(probabilities[:, None, :] > probabilities[:, :, None], 1, 0)
    found: Array = (above * probabilities[:, None, :]).sum(axis=2) < at
    return found


@pytest.mark.parametrize("coverage", COVERAGES)
def test_lac_sets_are_those_of_mapie(coverage: float) -> None:
    (p, y), (new, _) = classified(500, 0), classified(300, 1)
    other = SplitConformalClassifier(Told().fit(p, y), coverage, "lac", prefit=True)
    wanted = other.conformalize(p, y).predict_set(new)[1][:, :, 0]
    assert (lac_sets(new, threshold(lac.scores(p, y), coverage)) == wanted).all()


@pytest.mark.parametrize("coverage", COVERAGES)
def test_aps_sets_are_those_of_mapie(coverage: float) -> None:
    (p, y), (new, _) = classified(500, 0), classified(300, 1)
    parts = 1 - np.random.RandomState(3).uniform(size=500)  # MAPIE subtracts what it draws
    other = SplitConformalClassifier(Told().fit(p, y), coverage, "aps", prefit=True, random_state=3)
    params = {"include_last_label": True}
    wanted = other.conformalize(p, y).predict_set(new, conformity_score_params=params)[1][:, :, 0]
    assert (aps_sets(new, threshold(aps.scores(p, y, parts), coverage)) == wanted).all()


def test_aps_score_lies_between_the_sums_without_and_with_the_own_class() -> None:
    p = np.array([[0.5, 0.3, 0.2]] * 1000)
    found = aps.scores(p, np.ones(1000, int), np.random.default_rng(0).random(1000))
    assert (found.min() >= 0.5, found.max() <= 0.8) == (True, True)
    assert found.mean() == pytest.approx(0.65, abs=0.02)


def regressed(rows: int, seed: int) -> tuple[Array, Array]:
    """(mean, scale, low, high) of rows, and targets; the scale is half of what it should be."""
    rng = np.random.default_rng(seed)
    mean, scale = rng.normal(0, 5, rows), rng.uniform(0.5, 2, rows)
    x = np.column_stack([mean, scale, mean - scale, mean + scale])
    return x, mean + rng.normal(0, 2 * scale)


@pytest.mark.parametrize("coverage", COVERAGES)
def test_absolute_intervals_are_those_of_mapie(coverage: float) -> None:
    (x, y), (new, _) = regressed(500, 0), regressed(300, 1)
    other = SplitConformalRegressor(Column(0).fit(x, y), coverage, "absolute", prefit=True)
    _, wanted = other.conformalize(x, y).predict_interval(new)
    half = threshold(absolute.scores(y, x[:, 0]), coverage)
    assert new[:, 0] - half == pytest.approx(wanted[:, 0, 0])
    assert new[:, 0] + half == pytest.approx(wanted[:, 1, 0])


@pytest.mark.parametrize("coverage", COVERAGES)
def test_normalized_intervals_are_those_of_mapie(coverage: float) -> None:
    (x, y), (new, _) = regressed(500, 0), regressed(300, 1)
    scale = Column(1).fit(x, y)
    score = ResidualNormalisedScore(residual_estimator=scale, prefit=True, sym=True)
    other = SplitConformalRegressor(Column(0).fit(x, y), coverage, score, prefit=True)
    _, wanted = other.conformalize(x, y).predict_interval(new)
    half = threshold(normalized.scores(y, x[:, 0], x[:, 1]), coverage) * new[:, 1]
    assert new[:, 0] - half == pytest.approx(wanted[:, 0, 0])
    assert new[:, 0] + half == pytest.approx(wanted[:, 1, 0])


@pytest.mark.parametrize("coverage", COVERAGES)
def test_cqr_intervals_are_those_of_mapie(coverage: float) -> None:
    (x, y), (new, _) = regressed(500, 0), regressed(300, 1)
    columns = [Column(2).fit(x, y), Column(3).fit(x, y), Column(0).fit(x, y)]
    other = ConformalizedQuantileRegressor(columns, coverage, prefit=True).conformalize(x, y)
    _, wanted = other.predict_interval(new, symmetric_correction=True)
    wider = threshold(cqr.scores(y, x[:, 2], x[:, 3]), coverage)
    assert new[:, 2] - wider == pytest.approx(wanted[:, 0, 0])
    assert new[:, 3] + wider == pytest.approx(wanted[:, 1, 0])


def test_scale_of_zero_gives_no_normalized_interval() -> None:
    with pytest.raises(InputError, match="a standard deviation of 0"):
        normalized.scores(np.ones(2), np.ones(2), np.array([1.0, 0.0]))


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_sets_cover_over_many_splits(method: str) -> None:
    splits, rows, coverage = 3000, 60, 0.9
    p, y = classified(splits * (rows + 1), 5)
    score = (
        lac.scores(p, y)
        if method == "lac"
        else aps.scores(p, y, np.random.default_rng(0).random(len(y)))
    )
    parts = score.reshape(splits, rows + 1)
    at = np.array([threshold(part[1:], coverage) for part in parts])
    sets = (lac_sets if method == "lac" else aps_sets)(
        p.reshape(splits, rows + 1, 4)[:, 0], at[:, None]
    )
    covered = sets[np.arange(splits), y.reshape(splits, rows + 1)[:, 0]].sum()
    assert covered >= binom.ppf(1e-7, splits, coverage)
    if method == "lac":
        assert covered <= binom.ppf(1 - 1e-7, splits, coverage + 1 / (rows + 1))
