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
from service.core.entropy import entropy
from service.core.measures import Facts, Needs, measures_of, read_measures
from service.core.measures.accept import Accept
from service.core.measures.calibrated import Calibrated
from service.core.measures.prediction_interval import PredictionInterval
from service.core.measures.prediction_set import PredictionSet
from service.core.measures.predictive_interval import PredictiveInterval
from service.core.measures.quantiles import Quantiles
from service.core.measures.reason import Reason
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
    message = r"gives 'prediction_set' coverage 0.7; it takes one of .* calibration, \[0.9, 0.6\]"
    with pytest.raises(InputError, match=message):
        read_measures([{"prediction_set": 0.7}], [FACTS])


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
