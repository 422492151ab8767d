"""The evaluation of the demo models, as a document."""

import json
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import onnx
import pytest

from mcdropout import evaluate
from models.zoo.data import co2_series, digits_splits
from service.calibration.fingerprint import fingerprint, row_hashes
from service.core.measures import MEASURES
from service.core.temperature import tempered
from service.errors import InputError
from service.evaluation.document import Estimate, Evaluation
from service.evaluation.metrics.classification import nll
from service.graph.beside import model_sha256
from service.inference.load import load_model
from service.inference.predictor import Predictor
from service.manifest import METADATA_KEY
from tests.conftest import STORE, EditArtifact
from tests.service.calibration.documents import fields

DIGITS, CO2 = (STORE / name / "1" / "model.onnx" for name in ("digits", "co2"))
SMALL: dict[str, Any] = {"passes": (4, 30), "resamples": 40, "seed": 5}


@pytest.fixture(scope="module")
def images() -> tuple[Any, Any]:
    _, test = digits_splits()
    return test.x[:250], test.y[:250]


@pytest.fixture(scope="module")
def digits(digits: Predictor) -> Predictor:
    """The model without its calibration."""
    return digits.with_calibration(None)


@pytest.fixture(scope="module")
def told() -> list[tuple[str, int, int]]:
    return []


@pytest.fixture(scope="module")
def evaluation(
    images: tuple[Any, Any], told: list[tuple[str, int, int]], digits: Predictor
) -> Evaluation:
    noise = np.random.default_rng(1).uniform(0, 16, (60, 64)).astype(np.float32)

    def tell(stage: str, done: int, total: int) -> None:
        told.append((stage, done, total))

    return evaluate(DIGITS, images, ood=noise, progress=tell, loaded=digits, **SMALL)


def names(evaluation: Evaluation) -> list[str]:
    return [result.setting.name for result in evaluation.results]


def test_settings_are_side_by_side(evaluation: Evaluation) -> None:
    assert names(evaluation) == [
        "deterministic",
        "4 passes",
        "30 passes",
        "30 passes, rates × 0.5",
        "30 passes, rates × 1.5",
        "30 passes, per-row masks",
    ]
    assert evaluation.main == "30 passes"
    for result in evaluation.results:
        assert list(result.metrics) == ["accuracy", "nll", "brier", "ece", "adaptive_ece"]


def test_setting_has_the_numbers_of_the_model(
    evaluation: Evaluation, images: tuple[Any, Any]
) -> None:
    model = load_model(DIGITS)
    off = model.predict_deterministic(images[0])["probabilities"]
    wanted = {
        "deterministic": off,
        "4 passes": model.predict(images[0], 4, 5).mean,
        "30 passes": model.predict(images[0], 30, 5).mean,
        "30 passes, rates × 0.5": model.predict(images[0], 30, 5, rate_scale=0.5).mean,
        "30 passes, per-row masks": model.predict(images[0], 30, 5, masks="per_row").mean,
    }
    for name, p in wanted.items():
        found = evaluation.result(name).metrics
        assert found["nll"].value == pytest.approx(nll(p, images[1]).mean())
        right = (p.argmax(axis=1) == images[1]).mean()
        assert found["accuracy"].value == pytest.approx(right)


def test_measures_find_errors_and_other_rows(evaluation: Evaluation) -> None:
    measures = evaluation.result().measures
    assert set(measures) == {name for name, one in MEASURES.items() if one.certain} - {
        *("epistemic", "aleatoric", "total")
    }
    for result in measures.values():
        found = {name: one.value for name, one in result.metrics.items()}
        assert None not in found.values()
        assert (found["auroc"] or 0) > 0.8
        assert (found["ood_auroc"] or 0) > 0.8
        assert result.risk_coverage.x[-1] == 1
        assert result.roc is not None
        assert result.ood_histogram is not None
        assert sum(result.ood_histogram.counts["out"]) == 60
        assert sum(sum(counts) for counts in result.histogram.counts.values()) == 250


def test_deterministic_output_has_the_measures_of_one_prediction(evaluation: Evaluation) -> None:
    found = evaluation.result("deterministic").measures
    assert list(found) == ["confidence", "margin", "predictive_entropy"]


def test_intervals_surround_the_values(evaluation: Evaluation) -> None:
    found = evaluation.result().metrics["nll"]
    assert found.low is not None
    assert found.high is not None
    assert found.value is not None
    assert found.low < found.value < found.high


def test_bins_have_all_rows(evaluation: Evaluation) -> None:
    reliability = evaluation.result().reliability
    assert reliability is not None
    for bins in (reliability.equal_width, reliability.equal_mass):
        assert sum(one.rows for one in bins) == 250


def test_curve_of_passes_ends_with_the_main_setting(evaluation: Evaluation) -> None:
    assert [after.passes for after in evaluation.passes] == [2, 4, 5, 10, 20, 30]
    assert evaluation.passes[-1].metrics == evaluation.result("30 passes").metrics


def test_progress_reaches_the_end(evaluation: Evaluation, told: list[tuple[str, int, int]]) -> None:
    last = {stage: (done, total) for stage, done, total in told}
    samples = 310 * (1 + 30 * 4)
    assert last == {"passes": (samples, samples), "bootstrap": (40, 40)}
    assert evaluation.timing.samples == samples


def test_same_seed_gives_the_same_document(
    evaluation: Evaluation, images: tuple[Any, Any], digits: Predictor
) -> None:
    fewer = {**SMALL, "rate_scales": [], "masks": ["shared"]}
    again = evaluate(DIGITS, images, loaded=digits, **fewer)
    assert names(again) == ["deterministic", "4 passes", "30 passes"]
    assert (
        again.result("4 passes").metrics["accuracy"]
        == evaluation.result("4 passes").metrics["accuracy"]
    )
    assert again.results == evaluate(DIGITS, images, loaded=digits, **fewer).results


def test_stratified_passes_are_compared_where_there_are_blocks_of_them(
    images: tuple[Any, Any], digits: Predictor
) -> None:
    found = evaluate(
        DIGITS, images, loaded=digits, sampling="stratified", masks=["shared"], **SMALL
    )
    assert names(found)[:3] == ["deterministic", "4 passes", "30 passes, stratified"]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"rate_scales": [9.0]}, "rate_scale is 9"),
        ({"passes": [30, 1]}, "passes is 1; .* at least 2. Dropout off is compared"),
        ({"passes": []}, "passes names no number"),
        ({"seed": -1}, "seed is -1"),
        ({"confidence": 1.0}, "confidence is 1.0"),
    ],
)
def test_impossible_setting_is_refused(
    images: tuple[Any, Any], digits: Predictor, wrong: dict[str, Any], text: str
) -> None:
    with pytest.raises(InputError, match=text) as raised:
        evaluate(DIGITS, images, loaded=digits, **{**SMALL, **wrong})
    assert "training" not in str(raised.value)


@pytest.fixture(scope="module")
def years() -> Evaluation:
    year, ppm = co2_series()
    return evaluate(CO2, (year[::10], ppm[::10]), **{**SMALL, "passes": (30, 100)})


def test_regression_has_intervals_of_the_mean_alone(years: Evaluation) -> None:
    assert years.model.noise == "none"
    assert any("noise of the targets is not known" in text for text in years.warnings)
    result = years.result()
    assert list(result.metrics) == ["rmse", "mae", "nll", "crps", "calibration_error"]
    assert [one.level for one in result.intervals] == [0.5, 0.9, 0.95]
    assert len(result.calibration) == 19
    assert list(result.measures) == ["epistemic"]
    assert list(result.measures["epistemic"].metrics) == ["aurc", "excess_aurc"]


def test_numbers_of_a_regression_are_those_of_its_samples(years: Evaluation) -> None:
    year, ppm = co2_series()
    x, y = year[::10], ppm[::10].astype(float)
    found = load_model(CO2).predict(x, 100, 5, ["samples", "interval:0.9"])
    off = np.abs(found.mean - y)
    result = years.result("100 passes")
    assert value(result.metrics["rmse"]) == pytest.approx(np.sqrt((off**2).mean()))
    assert value(result.metrics["mae"]) == pytest.approx(off.mean())
    low, high = np.moveaxis(found.measures["interval"], -1, 0)
    inside = ((low <= y) & (y <= high)).mean()
    assert value(result.intervals[1].coverage) == pytest.approx(inside)
    assert value(result.intervals[1].width) == pytest.approx((high - low).mean())


def test_deterministic_regression_without_noise_is_a_number(years: Evaluation) -> None:
    result = years.result("deterministic")
    assert list(result.metrics) == ["rmse", "mae", "crps"]
    assert result.metrics["crps"].value == result.metrics["mae"].value
    assert not result.intervals
    assert not result.calibration


def test_rows_that_trained_the_model_are_warned_of(
    images: tuple[Any, Any], edit_artifact: EditArtifact
) -> None:
    known = fingerprint("train.npz", row_hashes({"pixels": images[0][:50]}))

    def trained(model: onnx.ModelProto) -> None:
        (entry,) = [one for one in model.metadata_props if one.key == METADATA_KEY]
        said = json.loads(entry.value) | {"training_data": known.model_dump()}
        entry.value = json.dumps(said)

    found = evaluate(edit_artifact(trained), images, passes=[4], rate_scales=[], resamples=0)
    assert any("20 % of the rows of data are among those of train.npz" in w for w in found.warnings)
    assert found.data.sha256 == fingerprint("", row_hashes({"pixels": images[0]})).sha256


def value(estimate: Estimate) -> float:
    assert estimate.value is not None
    return estimate.value


def test_document_is_as_small_as_plots_need(evaluation: Evaluation, tmp_path: Path) -> None:
    text = evaluation.as_json()
    assert len(text) < 1_000_000
    assert Evaluation.model_validate_json(text) == evaluation


def test_calibrated_setting_is_beside_those_without_the_calibration(
    images: tuple[Any, Any], digits: Predictor, edit_artifact: EditArtifact
) -> None:
    path = edit_artifact(lambda model: None)
    model = {"sha256": model_sha256(path), "task": "classification", "outputs": ["probabilities"]}
    sampling = {"passes": 100, "rate_scale": 0.5, "seed": 7}
    said = fields(model=model, output="probabilities", sampling=sampling)
    path.with_name("calibration.json").write_text(json.dumps(said))
    quick: dict[str, Any] = {"passes": [4], "rate_scales": [], "resamples": 0}
    found = evaluate(path, images, **quick)
    without = evaluate(DIGITS, images, loaded=digits, **quick)
    assert found.results[:-1] == without.results
    calibrated = found.results[-1]
    assert (calibrated.setting.name, calibrated.setting.kind) == (
        *("calibrated, 100 passes", "calibrated"),
    )
    p = tempered(digits.predict(images[0], 100, 7, rate_scale=0.5).mean, 2.0)
    wanted = nll(p, images[1]).mean()
    assert value(calibrated.metrics["nll"]) == pytest.approx(wanted)


def test_calibrated_regression_has_its_noise_and_its_interval(tmp_path: Path) -> None:
    year, ppm = co2_series()
    path = Path(copyfile(CO2, tmp_path / "model.onnx"))
    said = fields(
        model={"sha256": model_sha256(path), "task": "regression", "outputs": ["ppm"]},
        output="ppm",
        temperature=None,
        noise_precision=0.25,
        sets=[],
        intervals=[{"method": "absolute", "coverage": 0.9, "threshold": 3.0}],
        selection=None,
        reference={},
    )
    path.with_name("calibration.json").write_text(json.dumps(said))
    found = evaluate(path, (year[::20], ppm[::20]), passes=[4], rate_scales=[], resamples=0)
    (warning,) = (text for text in found.warnings if "noise" in text)
    assert "not known without the calibration" in warning
    assert "The calibrated setting knows it." in warning
    assert "annotate" not in warning
    calibrated = found.result("calibrated, 100 passes")
    assert [one.level for one in calibrated.intervals if one.is_conformal] == [0.9]
    assert value(calibrated.intervals[-1].width) == pytest.approx(6)
    assert value(calibrated.metrics["nll"]) < value(found.result("4 passes").metrics["nll"])
