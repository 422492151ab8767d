"""Measures that are made by a model's calibration, against closed forms."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.core.calibration import (
    Calibration,
    ConformalInterval,
    ConformalSet,
    Selection,
)
from service.core.conformal import class_scores
from service.core.entropy import entropy
from service.core.measures import Facts, Needs, measures_of, read_measures
from service.core.measures.accept import Accept
from service.core.measures.base import Sampled
from service.core.measures.calibrated import Calibrated
from service.core.measures.facts import PerElement
from service.core.measures.prediction_interval import PredictionInterval
from service.core.measures.prediction_set import PredictionSet, members
from service.core.measures.predictive_interval import PredictiveInterval
from service.core.measures.quantiles import Quantiles
from service.core.measures.reason import Reason
from service.core.moments import Moments
from service.errors import InputError
from tests.service.core.measures.of_samples import measured

RANDOM = np.random.default_rng(0)
PROBABILITIES = RANDOM.dirichlet(np.ones(4), (30, 6))
MEAN = PROBABILITIES.mean(axis=0)
SETS = Calibration(
    sets=(ConformalSet("lac", 0.9, 0.75), ConformalSet("aps", 0.6, 0.3)),
    selection=Selection("predictive_entropy", float(np.median(entropy(MEAN))), at_most=True),
)
FACTS = Facts("y", (None, 4), "classification", calibration=SETS)
TARGETS = RANDOM.normal(3, 2, (40, 5, 2))


def of(calibration: Calibration, **others: Any) -> Facts:
    return Facts("y", (None, 2), "regression", calibration=calibration, **others)


def test_calibrated_is_of_the_mean() -> None:
    facts = replace(FACTS, calibration=Calibration(temperature=0.5))
    squares = MEAN**2
    wanted = squares / squares.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(measured(Calibrated(), PROBABILITIES, facts), wanted, rtol=1e-12)


def test_a_prediction_set_by_hand() -> None:
    p = np.array([[[0.5, 0.1, 0.3, 0.1]]] * 3)
    np.testing.assert_array_equal(measured(PredictionSet(), p, FACTS), [[True, False, True, False]])
    found = measured(PredictionSet(0.6), p, FACTS)  # the mass above the second class is 0.5
    np.testing.assert_array_equal(found, [[True, False, False, False]])


def test_a_prediction_set_is_of_the_calibrated_probabilities() -> None:
    p = np.array([[[0.5, 0.1, 0.3, 0.1]]] * 3)  # squared, 0.69, 0.03, 0.25, 0.03
    sets = (ConformalSet("lac", 0.9, 0.72),)
    facts = replace(FACTS, calibration=Calibration(temperature=0.5, sets=sets))
    np.testing.assert_array_equal(
        measured(PredictionSet(), p, facts), [[True, False, False, False]]
    )


def test_a_prediction_set_of_a_sigmoid_has_two_classes() -> None:
    facts = replace(FACTS, shape=(None, 1))
    p = np.array([[[0.1], [0.5], [0.9]]] * 3)
    found = measured(PredictionSet(), p, facts)
    np.testing.assert_array_equal(found, [[True, False], [True, True], [False, True]])


def test_absolute_intervals_have_one_width() -> None:
    facts = of(Calibration(intervals=(ConformalInterval("absolute", 0.9, 1.5, 1.5),)))
    mean = TARGETS.mean(axis=0)
    found = measured(PredictionInterval(), TARGETS, facts)
    np.testing.assert_allclose(found, np.stack([mean - 1.5, mean + 1.5], -1), rtol=1e-12)
    (measure,) = read_measures(["prediction_interval"], [facts])
    assert measure.needs is Needs.MOMENTS


@pytest.mark.parametrize("noise", [None, 4.0])
def test_normalized_intervals_are_multiples_of_the_deviation(noise: float | None) -> None:
    rule = ConformalInterval("normalized", 0.9, 2.0, 2.0)
    found = measured(PredictionInterval(), TARGETS, of(Calibration(intervals=(rule,)), noise=noise))
    deviation = np.sqrt(TARGETS.var(axis=0, ddof=1) + (noise or 0.0))
    np.testing.assert_allclose(found[..., 1] - found[..., 0], 4 * deviation, rtol=1e-10)


def test_cqr_moves_the_ends_of_the_interval_of_its_coverage() -> None:
    facts = of(Calibration(intervals=(ConformalInterval("cqr", 0.8, -0.1, 0.3),)))
    low, high = np.moveaxis(measured(Quantiles((0.1, 0.9)), TARGETS, facts), -1, 0)
    found = measured(PredictionInterval(), TARGETS, facts)
    np.testing.assert_allclose(found, np.stack([low + 0.1, high + 0.3], -1), rtol=1e-12)
    noisy = replace(facts, noise=0.5)
    ends = measured(PredictiveInterval(0.8), TARGETS, noisy)
    found = measured(PredictionInterval(), TARGETS, noisy)
    np.testing.assert_allclose(found, ends + np.array([0.1, 0.3]), rtol=1e-12)


def labels_of(size: int, calibration: Calibration) -> Facts:
    classes = np.array([("", f"label {number}") for number in range(size)])
    return Facts(
        *("y", (None, size), "multilabel_classification", PerElement()),
        classes=classes,
        calibration=calibration,
    )


def test_each_label_is_calibrated_by_itself() -> None:
    p = RANDOM.uniform(0.01, 0.99, (20, 5, 3))
    found = measured(Calibrated(), p, labels_of(3, Calibration(temperature=2.5)))
    mean = p.mean(axis=0)
    wanted = 1 / (1 + np.exp(-np.log(mean / (1 - mean)) / 2.5))
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_a_set_of_labels_has_those_of_a_large_probability() -> None:
    sets = (ConformalSet("lac", 0.9, 0.3),)
    p = np.array([[[0.9, 0.69, 0.1], [0.2, 0.71, 0.72]]] * 3)
    facts = labels_of(3, Calibration(sets=sets))
    found = measured(PredictionSet(), p, facts)
    np.testing.assert_array_equal(found, [[True, False, False], [False, True, True]])
    assert members(found, facts.members).tolist() == [["label 0"], ["label 1", "label 2"]]
    assert members(found, None).tolist() == [[0], [1, 2]]
    tempered = labels_of(3, Calibration(temperature=0.5, sets=sets))  # 0.69 becomes 0.83
    np.testing.assert_array_equal(measured(PredictionSet(), p, tempered)[0], [True, True, False])


def test_a_set_of_a_single_label_has_it_or_not() -> None:
    facts = labels_of(1, Calibration(sets=(ConformalSet("lac", 0.9, 0.3),)))
    found = measured(PredictionSet(), np.array([[[0.8], [0.2]]] * 3), facts)
    np.testing.assert_array_equal(found, [[True], [False]])


def test_each_prediction_of_a_row_has_a_set() -> None:
    facts = replace(FACTS, shape=(None, 2, 4), classes=np.array(list("abcd")))
    p = np.array([[[[0.5, 0.1, 0.3, 0.1], [0.1, 0.1, 0.1, 0.7]]]] * 3)
    found = measured(PredictionSet(), p, facts)
    assert members(found, facts.members).tolist() == [[["a", "c"], ["d"]]]


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        ("prediction_set", 0),
        ("prediction_set:0.8", 1),
        ("prediction_set:method=aps", 2),
        ("prediction_set:coverage=0.8:method=aps", 3),
        ({"prediction_set": {"method": "aps", "coverage": 0.8}}, 3),
        ({"prediction_set": {"method": "lac", "coverage": None}}, 0),
    ],
)
def test_the_first_rule_with_what_is_asked_for_is_used(asked: Any, rule: int) -> None:
    rules = [("lac", 0.9, 0.4), ("lac", 0.8, 0.55), ("aps", 0.9, 0.85), ("aps", 0.8, 0.0)]
    sets = tuple(ConformalSet(*one) for one in rules)  # type: ignore[arg-type]
    p = np.array([[[0.6, 0.45, 0.15, 0.1]]] * 3)
    p /= p.sum(axis=-1, keepdims=True)
    facts = replace(FACTS, calibration=Calibration(sets=sets))
    (bound,) = read_measures([asked], [facts])
    found = bound.finalize(None, Sampled(Moments(3, p[0], 0 * p[0])), None)
    wanted = class_scores(sets[rule].method, p[0]) <= sets[rule].threshold
    np.testing.assert_array_equal(found, wanted)


def test_the_rules_of_intervals_are_chosen_by_method() -> None:
    rules = (ConformalInterval("normalized", 0.9, 2.0, 2.0), ConformalInterval("cqr", 0.9, 0, 0))
    facts = of(Calibration(intervals=rules))
    asked = {"prediction_interval": {"method": "cqr"}}
    (bound,) = read_measures([asked], [facts])
    assert bound.base is not None
    assert (bound.base.name, bound.needs) == ("interval", Needs.SAMPLES)


def test_a_row_is_accepted_by_its_least_certain_element() -> None:
    p = np.array([[[0.9, 0.9, 0.9], [0.9, 0.5, 0.9]]] * 3)
    for measure, threshold, at_most in (("predictive_entropy", 0.5, True), ("margin", 0.5, False)):
        facts = labels_of(3, Calibration(selection=Selection(measure, threshold, at_most)))
        np.testing.assert_array_equal(measured(Accept(), p, facts), [True, False])
        good, bad = measured(Reason(), p, facts)
        sides = ("at most", "above") if at_most else ("at least", "below")
        assert (good, bad) == tuple(f"{measure} is {side} 0.5" for side in sides)


def test_a_vector_is_accepted_if_no_element_varies_more_than_the_threshold() -> None:
    facts = of(Calibration(selection=Selection("std", 2.0, at_most=True)))
    samples = np.stack([TARGETS[:, 0] * [0.1, 0.1], TARGETS[:, 0] * [0.1, 10]], axis=1)
    np.testing.assert_array_equal(measured(Accept(), samples, facts), [True, False])


def test_half_of_the_rows_are_at_most_the_median() -> None:
    accepted = measured(Accept(), PROBABILITIES, FACTS)
    threshold = SETS.selection.threshold if SETS.selection else np.nan
    np.testing.assert_array_equal(accepted, entropy(MEAN) <= threshold)
    assert accepted.sum() == 3
    reasons = measured(Reason(), PROBABILITIES, FACTS)
    assert set(reasons[accepted]) == {f"predictive_entropy is at most {threshold:.4g}"}
    assert set(reasons[~accepted]) == {f"predictive_entropy is above {threshold:.4g}"}


def test_a_measure_may_have_to_be_at_least_the_threshold() -> None:
    facts = replace(FACTS, calibration=Calibration(selection=Selection("confidence", 0.5, False)))
    p = np.array([[[0.5, 0.5, 0, 0], [0.4, 0.3, 0.2, 0.1]]] * 3)
    np.testing.assert_array_equal(measured(Accept(), p, facts), [True, False])
    wanted = ["confidence is at least 0.5", "confidence is below 0.5"]
    np.testing.assert_array_equal(measured(Reason(), p, facts), wanted)


def test_the_state_of_a_measure_is_kept_once() -> None:
    facts = replace(
        FACTS, calibration=Calibration(selection=Selection("mutual_information", 1, True))
    )
    found = read_measures(["mutual_information", "accept", "reason"], [facts])
    assert len({one.root for one in found}) == 1
    assert all(one.needs is Needs.STREAM for one in found)


def test_a_coverage_that_was_not_fitted_is_refused() -> None:
    known = "it takes one of the model's calibration: lac 0.9, aps 0.6"
    with pytest.raises(InputError, match=f"gives 'prediction_set' coverage 0.7; {known}"):
        read_measures([{"prediction_set": 0.7}], [FACTS])
    with pytest.raises(InputError, match=f"coverage 0.6 and method lac; {known}"):
        read_measures([{"prediction_set": {"coverage": 0.6, "method": "lac"}}], [FACTS])
    with pytest.raises(InputError, match=r"'prediction_set' method 'cqr'; it takes one of \['lac'"):
        read_measures(["prediction_set:method=cqr"], [FACTS])
    with pytest.raises(InputError, match="gives 'prediction_set' 'coverage' twice; it takes"):
        read_measures(["prediction_set:coverage=0.9:coverage=0.6"], [FACTS])


@pytest.mark.parametrize("given", [[0.9], "all", True, 1.5])
def test_a_coverage_is_a_number(given: Any) -> None:
    with pytest.raises(
        InputError, match=r"gives 'prediction_set' coverage .* a number from 0 to 1"
    ):
        read_measures([{"prediction_set": given}], [FACTS])


@pytest.mark.parametrize(
    ("name", "lacking"),
    [("calibrated", "temperature"), ("prediction_set", "prediction sets"), ("accept", "threshold")],
)
def test_what_was_not_fitted_is_lacking(name: str, lacking: str) -> None:
    facts = replace(FACTS, calibration=Calibration())
    with pytest.raises(InputError, match=f"'{name}', and the model's calibration has no {lacking}"):
        read_measures([name], [facts])
    assert name not in measures_of([facts])
