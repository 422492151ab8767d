"""The demo models are calibrated with rows that did not train them, and keep their promises."""

import re
from collections.abc import Mapping

import numpy as np
import pytest
from scipy.stats import betabinom

from mcdropout import evaluate
from models.zoo.data import Series, Split, co2_series, co2_splits, digits_halves, digits_splits
from scripts.calibrate_demo_models import TARGET_RISK, calibrated
from service import Predictor, load_model
from service.calibration.document import CalibrationDocument
from service.calibration.fingerprint import fingerprint, row_hashes
from service.evaluation.overlap import overlap_warnings
from tests.conftest import STORE

NAMES = ("digits", "co2")
#: Probability that a test fails by chance.
CHANCE = 1e-6


def stored(name: str) -> Predictor:
    return load_model(STORE / name / "1" / "model.onnx")


def calibration(name: str) -> CalibrationDocument:
    document = stored(name).calibration.document
    assert document is not None
    return document


def rows(name: str) -> Mapping[str, Split | Series]:
    """What trained, calibrated and tests a model."""
    if name == "co2":
        return co2_splits()._asdict()
    valid, test = digits_halves()
    return {"train": digits_splits()[0], "valid": valid, "test": test}


def hashes(name: str, part: str) -> list[str]:
    (spec,) = stored(name).manifest.inputs
    return row_hashes({spec.name: rows(name)[part][0]})


def test_splits_of_co2_are_disjoint_and_cover_the_record() -> None:
    parts = co2_splits()
    assert [len(part.year) for part in parts] == [1335, 445, 445]
    found = np.concatenate([np.hstack(part) for part in parts])
    record = np.hstack(co2_series())
    np.testing.assert_array_equal(found[found[:, 0].argsort()], record)
    assert len(np.unique(record[:, 0])) == len(record)
    for part in parts:
        assert part.year[0, 0] < 1959 < 2001 < part.year[-1, 0]


@pytest.mark.parametrize("name", NAMES)
def test_model_and_calibration_say_what_they_were_made_with(name: str) -> None:
    known = stored(name).manifest.training_data
    assert known is not None
    assert known == fingerprint(known.name, hashes(name, "train"))
    data = calibration(name).data
    assert data == fingerprint(data.name, hashes(name, "valid"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("part", "done"), [("train", ["trained"]), ("valid", ["calibrated"]), ("test", [])]
)
def test_rows_that_a_model_knows_are_warned_of(name: str, part: str, done: list[str]) -> None:
    found = overlap_warnings("data", hashes(name, part), stored(name))
    assert [re.findall(r"with which the model was (\w+):", text) for text in found] == [
        [one] for one in done
    ]


def test_evaluating_co2_with_weeks_that_trained_it_warns() -> None:
    year, ppm = co2_splits().train
    path, some = STORE / "co2" / "1" / "model.onnx", (year[:40], ppm[:40])
    found = evaluate(path, some, passes=[2], rate_scales=[], masks=["shared"], resamples=0)
    assert any("with which the model was trained: " in text for text in found.warnings)


@pytest.mark.parametrize("name", NAMES)
def test_calibrating_again_gives_the_stored_calibration(name: str) -> None:
    was, found = calibration(name), calibrated(name).document
    assert (found.model, found.data, found.sampling) == (was.model, was.data, was.sampling)
    # Rounding differs between machines.
    assert figures(found) == pytest.approx(figures(was), rel=1e-3)


def figures(document: CalibrationDocument) -> list[float]:
    """All that was fitted."""
    assert document.selection is not None
    scaled = document.temperature or document.noise_precision
    assert scaled is not None
    sets = [one.threshold for one in document.sets]
    ends = [end for one in document.intervals for end in (one.rule.lower, one.rule.upper)]
    return [scaled, document.selection.threshold, *sets, *ends]


def test_digits_keeps_its_promise_on_images_that_chose_nothing() -> None:
    _, test = digits_halves()
    found = stored("digits").predict(test.x, seed=0)
    accepted, wrong = found.measures["accept"], found.mean.argmax(axis=1) != test.y
    assert accepted.mean() > 0.9
    assert wrong[accepted].mean() <= TARGET_RISK < wrong[~accepted].mean()
    sets = found.measures["prediction_set"]
    assert sets[np.arange(len(sets)), test.y].mean() >= 0.9


@pytest.mark.parametrize("coverage", [0.9, 0.95])
def test_intervals_of_co2_cover_weeks_that_chose_nothing(coverage: float) -> None:
    """Of exchangeable rows the number inside has a beta-binomial distribution (Vovk 2012)."""
    year, ppm = co2_splits().test
    found = stored("co2").predict(year, seed=0, measures=[{"prediction_interval": coverage}])
    low, high = np.moveaxis(found.measures["prediction_interval"], -1, 0)
    inside = int(((low <= ppm) & (ppm <= high)).sum())
    count = calibration("co2").data.rows
    scores = count - count // 2  # the half that chose the threshold
    below = int(np.ceil((scores + 1) * coverage))
    law = betabinom(len(year), below, scores + 1 - below)
    assert law.ppf(CHANCE / 2) <= inside <= law.isf(CHANCE / 2)


def test_co2_accepts_its_record_and_abstains_beyond_it() -> None:
    model, known = stored("co2"), co2_splits().test.year
    accepted = [model.predict(known[i::8], seed=i).measures["accept"].mean() for i in range(8)]
    assert np.mean(accepted) > 0.95
    years = np.array([[1985.0], [2010.0], [2030.0]], np.float32)
    assert model.predict(years, 1000, 7).measures["accept"].tolist() == [True, False, False]
