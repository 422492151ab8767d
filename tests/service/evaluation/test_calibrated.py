"""The setting with a calibration: its sets, intervals and decisions are those of its answers."""

import json
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcdropout import evaluate
from models.zoo.data import co2_series, digits_splits
from service.evaluation.document import Estimate, Evaluation, Result
from service.graph.beside import model_sha256
from service.inference.load import load_model
from service.inference.predictor import Predictor
from tests.conftest import STORE
from tests.service.calibration.documents import fields

Array = NDArray[Any]

DIGITS, CO2 = (STORE / name / "1" / "model.onnx" for name in ("digits", "co2"))
QUICK: dict[str, Any] = {"passes": [30], "rate_scales": [], "masks": ["shared"]}
SETS = [
    {"method": "lac", "coverage": 0.9, "threshold": 0.3},
    {"method": "aps", "coverage": 0.95, "threshold": 0.99},
]
SELECTION = {
    **{"measure": "predictive_entropy", "keep": "at_most", "coverage": 0.9},
    **{"target_risk": 0.02, "confidence": 0.95, "guarantee": "none"},
}


def calibrated(model: Path, folder: Path, **parts: Any) -> Path:
    """A copy of a demo model with a calibration of 30 passes."""
    path = Path(copyfile(model, folder / "model.onnx"))
    predictor = load_model(path)
    of = {
        "sha256": model_sha256(path),
        "task": predictor.manifest.task,
        "outputs": [spec.name for spec in predictor.manifest.outputs],
    }
    sampling = {"passes": 30, "rate_scale": 1.0, "seed": 0}
    said = fields(model=of, output=of["outputs"][0], sampling=sampling, reference={}, **parts)
    path.with_name("calibration.json").write_text(json.dumps(said))
    return path


@pytest.fixture(scope="module")
def images() -> tuple[Array, Array]:
    _, test = digits_splits()
    return test.x, test.y


@pytest.fixture(scope="module")
def noise() -> Array:
    return np.random.default_rng(1).uniform(0, 16, (60, 64)).astype(np.float32)


@pytest.fixture(scope="module")
def model(
    tmp_path_factory: pytest.TempPathFactory, images: tuple[Array, Array], digits: Predictor
) -> Path:
    """With a threshold that half of the errors are below."""
    plain = digits.with_calibration(None).predict(images[0], 30, 0, ["predictive_entropy"])
    wrong = plain.mean.argmax(axis=1) != images[1]
    threshold = float(np.median(plain.measures["predictive_entropy"][wrong]))
    chosen = {**SELECTION, "threshold": threshold}
    folder = tmp_path_factory.mktemp("calibrated")
    return calibrated(DIGITS, folder, sets=SETS, selection=chosen)


@pytest.fixture(scope="module")
def predictor(model: Path) -> Predictor:
    return load_model(model)


@pytest.fixture(scope="module")
def evaluation(model: Path, images: tuple[Array, Array], noise: Array) -> Evaluation:
    return evaluate(model, images, ood=noise, resamples=50, **QUICK)


@pytest.fixture(scope="module")
def result(evaluation: Evaluation) -> Result:
    found = evaluation.calibrated
    assert found is not None
    return found


def value(estimate: Estimate | None) -> float:
    assert estimate is not None
    assert estimate.value is not None
    return estimate.value


@pytest.mark.parametrize("index", [0, 1])
def test_sets_of_every_rule_are_those_of_answers(
    result: Result, predictor: Predictor, images: tuple[Array, Array], index: int
) -> None:
    found, level = result.sets[index], SETS[index]["coverage"]
    assert (found.method, found.level) == (SETS[index]["method"], level)
    x, y = images
    sets = predictor.predict(x, 30, 0, [{"prediction_set": level}]).measures["prediction_set"]
    held, size = sets[np.arange(len(y)), y], sets.sum(axis=1)
    assert value(found.coverage) == pytest.approx(held.mean())
    assert value(found.size) == pytest.approx(size.mean())
    assert value(found.empty) == pytest.approx((size == 0).mean())
    assert value(found.single) == pytest.approx((size == 1).mean())
    assert [(one.name, one.rows) for one in found.by_size if one.name in "0123"] == [
        (str(n), int((size == n).sum())) for n in range(4) if (size == n).any()
    ]
    of_one = next(one for one in found.by_size if one.name == "1")
    assert value(of_one.coverage) == pytest.approx(held[size == 1].mean())
    of_classes = [held[y == label].mean() for label in range(10)]
    assert value(found.least.coverage) == pytest.approx(min(of_classes))
    assert of_classes[int(found.least.name)] == min(of_classes)


def test_decisions_are_those_of_answers(
    result: Result, predictor: Predictor, images: tuple[Array, Array], noise: Array
) -> None:
    found = result.acceptance
    assert found is not None
    assert (found.target_risk, found.loss) == (0.02, "wrong")
    x, y = images
    answers = predictor.predict(x, 30, 0)
    kept, wrong = answers.measures["accept"], answers.mean.argmax(axis=1) != y
    assert 0 < wrong[kept].sum() < wrong.sum()
    assert value(found.share) == pytest.approx(kept.mean())
    assert value(found.risk) == pytest.approx(wrong[kept].mean())
    assert value(found.risk_of_all) == pytest.approx(wrong.mean())
    others = predictor.predict(noise, 30, 0).measures["accept"]
    assert value(found.others) == pytest.approx(others.mean())
    assert found.others is not None
    assert found.others.low is not None
    assert found.others.low < value(found.others)


def test_rows_out_of_distribution_are_measured(result: Result, evaluation: Evaluation) -> None:
    for measure in result.measures.values():
        assert measure.ood_histogram is not None
        assert sum(measure.ood_histogram.counts["out"]) == 60
        assert value(measure.metrics["ood_auroc"]) > 0.8
    # 30 passes and dropout off of all rows, and 30 passes with the calibration.
    assert evaluation.timing.samples == 510 * 61


def test_differences_are_of_the_same_resamples(evaluation: Evaluation, result: Result) -> None:
    """The temperature is the only difference: the accuracy has none in any resample."""
    assert result.differences["accuracy"] == Estimate(value=0.0, low=0.0, high=0.0)
    main = evaluation.result()
    assert not main.differences
    nll = value(result.metrics["nll"]) - value(main.metrics["nll"])
    assert value(result.differences["nll"]) == pytest.approx(nll)
    assert result.differences["nll"].low is not None
    assert result.differences["nll"].low < nll


def test_intervals_of_every_rule_are_those_of_answers(tmp_path: Path) -> None:
    rules = [
        {"method": "absolute", "coverage": 0.9, "threshold": 3.0},
        {"method": "normalized", "coverage": 0.8, "threshold": 1.2},
        {"method": "cqr", "coverage": 0.95, "threshold": 0.1},
    ]
    selection = {**SELECTION, "measure": "total", "threshold": 4.5, "error_tolerance": 3.0}
    parts = {"noise_precision": 0.25, "intervals": rules, "selection": selection}
    path = calibrated(CO2, tmp_path, temperature=None, sets=[], **parts)
    year, ppm = co2_series()
    x, y = year[::20], ppm[::20].ravel().astype(float)
    evaluation = evaluate(path, (x, y), resamples=0, **QUICK)
    result, predictor = evaluation.calibrated, load_model(path)
    assert result is not None
    assert [(one.method, one.level) for one in result.intervals] == [
        *(("central", 0.5), ("central", 0.9), ("central", 0.95)),
        *((rule["method"], rule["coverage"]) for rule in rules),
    ]
    for found in result.intervals[3:]:
        answers = predictor.predict(x, 30, 0, [{"prediction_interval": found.level}])
        low, high = answers.measures["prediction_interval"][:, 0].T
        assert value(found.coverage) == pytest.approx(((low <= y) & (y <= high)).mean())
        assert value(found.width) == pytest.approx((high - low).mean())
    answers = predictor.predict(x, 30, 0)
    kept, off = answers.measures["accept"], np.abs(answers.mean[:, 0] - y)
    found_risk = result.acceptance
    assert found_risk is not None
    assert 0 < kept.sum() < len(kept)
    assert (found_risk.loss, found_risk.error_tolerance) == ("wrong", 3.0)
    assert value(found_risk.risk) == pytest.approx((off[kept] > 3).mean())


def test_regression_without_a_tolerance_has_the_error_of_accepted_rows(tmp_path: Path) -> None:
    selection = {**SELECTION, "measure": "std", "threshold": 0.6, "target_risk": None}
    path = calibrated(
        CO2, tmp_path, temperature=None, sets=[], selection={**selection, "confidence": None}
    )
    year, ppm = co2_series()
    x, y = year[::20], ppm[::20].ravel().astype(float)
    result = evaluate(path, (x, y), resamples=0, **QUICK).calibrated
    answers = load_model(path).predict(x, 30, 0)
    kept, off = answers.measures["accept"], np.abs(answers.mean[:, 0] - y)
    assert result is not None
    assert result.acceptance is not None
    assert result.acceptance.loss == "absolute"
    assert value(result.acceptance.risk) == pytest.approx(off[kept].mean())
    assert value(result.acceptance.risk_of_all) == pytest.approx(off.mean())
