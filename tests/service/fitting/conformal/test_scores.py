"""Thresholds and what they cover, compared with MAPIE's."""

from typing import Any

import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier
from mapie.conformity_scores import ResidualNormalisedScore
from mapie.regression import ConformalizedQuantileRegressor, SplitConformalRegressor
from scipy.stats import binom
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from service.core.calibration import ConformalInterval, IntervalMethod, SetMethod
from service.core.conformal import class_scores, interval_scores, widened
from service.fitting.conformal import label_scores, outwards, set_scores, sets, threshold

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


@pytest.mark.parametrize("coverage", COVERAGES)
@pytest.mark.parametrize("method", ["lac", "aps"])
def test_sets_are_those_of_mapie(
    method: SetMethod, coverage: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    (p, y), (new, _) = classified(500, 0), classified(300, 1)
    parts = 1 - np.random.RandomState(3).uniform(size=500)  # MAPIE subtracts what it draws
    monkeypatch.setattr(sets, "parts", lambda rows: parts[:rows])
    other = SplitConformalClassifier(Told().fit(p, y), coverage, method, True, random_state=3)
    how = {"include_last_label": True} if method == "aps" else {}
    wanted = other.conformalize(p, y).predict_set(new, conformity_score_params=how)[1][:, :, 0]
    at = threshold(set_scores(method, p, y), coverage)
    assert (class_scores(method, new) <= at).tolist() == wanted.tolist()


def test_aps_score_lies_between_the_sums_without_and_with_the_own_class() -> None:
    p = np.array([[0.5, 0.3, 0.2]] * 1000)
    found = set_scores("aps", p, np.ones(1000, int))
    assert (found.min() >= 0.5, found.max() <= 0.8) == (True, True)
    assert found.mean() == pytest.approx(0.65, abs=0.02)


def regressed(rows: int, seed: int) -> tuple[Array, Array]:
    """(mean, scale, low, high) of rows, and targets; the scale is half of what it should be."""
    rng = np.random.default_rng(seed)
    mean, scale = rng.normal(0, 5, rows), rng.uniform(0.5, 2, rows)
    x = np.column_stack([mean, scale, mean - scale, mean + scale])
    return x, mean + rng.normal(0, 2 * scale)


def other_intervals(method: IntervalMethod, coverage: float, x: Array, y: Array) -> Any:
    """MAPIE's method, fitted."""
    columns = [Column(number).fit(x, y) for number in range(4)]
    if method == "cqr":
        found = ConformalizedQuantileRegressor([*columns[2:], columns[0]], coverage, prefit=True)
        return found.conformalize(x, y)
    score: Any = "absolute"
    if method == "normalized":
        score = ResidualNormalisedScore(residual_estimator=columns[1], prefit=True, sym=True)
    found = SplitConformalRegressor(columns[0], coverage, score, prefit=True)
    return found.conformalize(x, y)


@pytest.mark.parametrize("coverage", COVERAGES)
@pytest.mark.parametrize("method", ["absolute", "normalized", "cqr"])
def test_intervals_are_those_of_mapie(method: IntervalMethod, coverage: float) -> None:
    (x, y), (new, _) = regressed(500, 0), regressed(300, 1)
    how = {"symmetric_correction": True} if method == "cqr" else {}
    _, wanted = other_intervals(method, coverage, x, y).predict_interval(new, **how)
    bases = [None if method == "absolute" else _base(method, rows) for rows in (x, new)]
    scores = np.maximum(*interval_scores(method, x[:, 0], bases[0], y))
    at = threshold(scores, coverage)
    found = widened(ConformalInterval(method, coverage, at, at), new[:, 0], bases[1])
    assert found == pytest.approx(wanted[:, :, 0])


@pytest.mark.parametrize("offset", [0, 10, 1e6])
@pytest.mark.parametrize("method", ["absolute", "normalized", "cqr"])
def test_target_whose_score_is_the_threshold_is_inside(
    method: IntervalMethod, offset: float
) -> None:
    (x, _), y = regressed(2000, 0), np.random.default_rng(2).integers(-9, 9, 2000) + offset
    x[:, [0, 2, 3]] += offset
    base = None if method == "absolute" else _base(method, x)
    scores = np.maximum(*interval_scores(method, x[:, 0], base, y))
    for row, at in enumerate(scores):
        own = None if base is None else base[row]
        rule = ConformalInterval(method, 0.9, outwards(at), outwards(at))
        low, high = widened(rule, x[row, 0], own)
        assert low <= y[row] <= high


def _base(method: IntervalMethod, x: Array) -> Array:
    found: Array = x[:, 1] if method == "normalized" else x[:, 2:]
    return found


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_sets_cover_over_many_splits(method: SetMethod) -> None:
    splits, rows, coverage = 3000, 60, 0.9
    p, y = classified(splits * (rows + 1), 5)
    fitted = set_scores(method, p, y).reshape(splits, rows + 1)
    tried = class_scores(method, p)[np.arange(len(y)), y].reshape(splits, rows + 1)
    at = np.array([threshold(part[1:], coverage) for part in fitted])
    covered = (tried[:, 0] <= at).sum()
    assert covered >= binom.ppf(1e-7, splits, coverage)
    if method == "lac":
        assert covered <= binom.ppf(1 - 1e-7, splits, coverage + 1 / (rows + 1))


def test_the_score_of_a_row_is_the_largest_of_its_labels_or_predictions() -> None:
    p = np.array([[0.9, 0.4, 0.7], [0.2, 0.3, 0.8]])
    flags = np.array([[True, False, True], [False, False, False]])
    np.testing.assert_allclose(label_scores(p, flags), [0.3, 0.0])
    steps = np.array([[[0.9, 0.1], [0.4, 0.6]]])
    np.testing.assert_allclose(set_scores("lac", steps, np.array([[0, 1]])), [0.4])


def test_one_label_for_each_row_has_the_scores_of_a_class() -> None:
    p, y = classified(200, 6)
    np.testing.assert_array_equal(
        label_scores(p, np.eye(4, dtype=bool)[y]), set_scores("lac", p, y)
    )


def flagged(rows: int, seed: int) -> tuple[Array, Array]:
    """Probabilities of four labels, sharper than they should be, and dependent labels."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 2, (rows, 4))
    true = 1 / (1 + np.exp(-logits))
    shared, own = rng.random((rows, 1)), rng.random((rows, 4))
    flags = np.where(rng.random((rows, 1)) < 0.5, shared, own) < true
    return 1 / (1 + np.exp(-1.5 * logits)), flags


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_sets_hold_all_labels_over_many_splits(coverage: float) -> None:
    splits, rows = 3000, 60
    p, flags = flagged(splits * (rows + 1), 7)
    assert 0.1 < (~flags.any(axis=1)).mean() < 0.6
    scores = label_scores(p, flags).reshape(splits, rows + 1)
    at = np.array([threshold(part[1:], coverage) for part in scores])
    first = np.arange(splits) * (rows + 1)
    covered = ((1 - p[first] <= at[:, None]) | ~flags[first]).all(axis=1).sum()
    assert covered >= binom.ppf(1e-7, splits, coverage)
    assert covered <= binom.ppf(1 - 1e-7, splits, coverage + 1 / (rows + 1))
