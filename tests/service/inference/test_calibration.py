"""A calibration beside a model file: whether it is applied, and to which requests."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.zoo.data import digits_splits
from service import Predictor, load_model
from service.errors import ArtifactError, InputError
from service.graph.artifact import Artifact, read_artifact
from service.inference.calibration import find_calibration
from tests.conftest import STORE
from tests.service.calibration.documents import HASH
from tests.service.calibration.models import calibrate, save_calibrated

X = digits_splits()[1].x[:40].astype(np.float32)
YEARS = [[1985.0], [2010.0]]
OWN = ["accept", "prediction_set", "calibrated", "reason"]
SELECTION = {"threshold": 0.3, "keep": "at_most", "coverage": 0.9, "guarantee": "none"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    folder = tmp_path_factory.mktemp("models")
    how = {"passes": 50, "seed": 1, "rate_scale": 0.8}
    return load_model(save_calibrated(folder, sampling=how))


@pytest.fixture(scope="module")
def digits(digits: Predictor) -> Predictor:
    """The model without a calibration."""
    return digits.with_calibration(None)


@pytest.fixture(scope="module")
def artifact(digits_path: Path) -> Artifact:
    return read_artifact(digits_path)


@pytest.fixture(scope="module")
def co2(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load_model(save_calibrated(tmp_path_factory.mktemp("models"), "co2"))


def test_a_request_gets_the_measures_and_the_rate_of_the_calibration(
    model: Predictor, digits: Predictor
) -> None:
    found = model.predict(X, 50, 7)
    assert list(found.measures) == OWN
    plain = digits.predict(X, 50, 7, ["predictive_entropy"], rate_scale=0.8)
    np.testing.assert_array_equal(found.mean, plain.mean)
    accepted = plain.measures["predictive_entropy"] <= 0.5
    np.testing.assert_array_equal(found.measures["accept"], accepted)
    assert 0 < accepted.sum() < len(X)


def test_a_request_that_gives_no_passes_gets_those_of_the_calibration(
    model: Predictor, digits: Predictor
) -> None:
    assert model.calibration.document is not None
    document = model.calibration.document
    how = document.sampling.model_copy(update={"passes": 60})
    other = model.with_calibration(document.model_copy(update={"sampling": how}))
    assert other.predict(X, seed=7).passes == 60
    assert other.predict(X, seed=7, calibrated=False).passes == digits.manifest.passes == 100
    assert other.predict(X, 50, 7).passes == 50


def test_measures_of_a_request_come_before_those_of_the_calibration(model: Predictor) -> None:
    asked: list[Any] = ["confidence", {"prediction_set": 0.95}]
    found = model.predict(X, 50, 7, asked)
    assert list(found.measures) == [
        "confidence",
        "prediction_set",
        "accept",
        "calibrated",
        "reason",
    ]
    assert found.measures["prediction_set"].sum() >= len(X)


def test_the_calibration_comes_before_the_measures_of_requests_that_name_none(
    tmp_path: Path,
) -> None:
    path = save_calibrated(tmp_path, "co2")
    path.with_name("model.mcdropout.json").write_text('{"measures": ["std"]}')
    calibrate(path, "co2")
    assert list(load_model(path).predict(YEARS, 50).measures) == [
        "accept",
        "prediction_interval",
        "reason",
        "std",
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"calibrated": False},
        {"rate_scale": 1.0},
        {"sites": ["drop_hidden"]},
    ],
)
def test_another_answer_is_as_if_there_was_no_calibration(
    model: Predictor, digits: Predictor, options: dict[str, Any]
) -> None:
    plain = {name: value for name, value in options.items() if name != "calibrated"}
    assert model.predict(X, 50, 7, **options) == digits.predict(X, 50, 7, **plain)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate_scale": 1.0}, "rate_scale is 1, and the model's calibration holds for 0.8. Leave "),
        ({"sites": ["drop_hidden"]}, "calibration holds for all. Leave sites out"),
    ],
)
def test_what_is_not_that_of_the_calibration_cannot_be_calibrated(
    model: Predictor, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=f"^calibrated is true, and .*{message}"):
        model.predict(X, 50, calibrated=True, **options)
    with pytest.raises(InputError, match=f"^measures names 'accept', and .*{message}"):
        model.predict(X, 50, measures=["accept"], **options)
    with pytest.raises(InputError, match=f"measure is 'accept', and .*{message}"):
        model.predict(X, {"decide": {"measure": "accept"}}, **options)


def test_masks_and_sampling_of_a_request_are_its_own(model: Predictor) -> None:
    """They change how passes and rows depend on each other, not what a row draws in a pass."""
    found = model.predict(X, 50, 7, masks="per_row", sampling="stratified", calibrated=True)
    assert list(found.measures) == OWN


def test_a_model_without_calibration_has_no_calibrated_answers(digits: Predictor) -> None:
    with pytest.raises(InputError, match="true, and the model has no calibration"):
        digits.predict(X, calibrated=True)
    assert digits.predict(X, 2, 1, calibrated=False) == digits.predict(X, 2, 1)


def test_the_default_may_be_not_to_calibrate(model: Predictor, tmp_path: Path) -> None:
    other = load_model(save_calibrated(tmp_path), calibrated=False)
    for one, by_default in ((model, True), (other, False)):
        assert one.terms.summary is not None
        assert one.terms.summary.by_default == by_default
    assert list(other.predict(X, 50, 7).measures) == []
    assert list(other.predict(X, 50, 7, calibrated=True).measures) == OWN
    with pytest.raises(InputError, match=r"'accept', and .*, by this server's default"):
        other.predict(X, measures=["accept"])


def test_a_regression_gets_noise_and_intervals(co2: Predictor) -> None:
    found = co2.predict(YEARS, 200, 7, ["total"])
    assert list(found.measures) == ["total", "accept", "prediction_interval", "reason"]
    total = found.variance + 0.25
    np.testing.assert_allclose(found.measures["total"], total, rtol=1e-12)
    ends = found.mean[..., None] + 1.5 * np.sqrt(total)[..., None] * [-1, 1]
    np.testing.assert_allclose(found.measures["prediction_interval"], ends, rtol=1e-12)
    np.testing.assert_array_equal(found.measures["accept"], [True, False])
    assert found.measures["reason"].tolist() == ["std is at most 1", "std is above 1"]
    with pytest.raises(InputError, match="the noise of the model's targets is not known"):
        co2.predict(YEARS, 200, 7, ["total"], calibrated=False)


def test_quantiles_of_a_regression_are_conformalized(co2: Predictor) -> None:
    asked = [{"prediction_interval": 0.8}, {"predictive_interval": 0.8}]
    found = co2.predict(YEARS, 200, 7, asked).measures
    moved = found["predictive_interval"] + np.array([-0.1, 0.2])
    np.testing.assert_allclose(found["prediction_interval"], moved, rtol=1e-12)


def test_easy_rows_stop_early(model: Predictor) -> None:
    rule = {"max": 640, "decide": {"measure": "accept", "confidence": 0.9}}
    found = model.predict(X[:15], rule, 7)
    assert found.row_passes is not None
    assert found.row_settled is not None
    assert np.median(found.row_passes) == 20
    thorough = model.predict(X[:15], 4000, 8).measures["accept"]
    settled = found.row_settled
    np.testing.assert_array_equal(found.measures["accept"][settled], thorough[settled])


def test_a_measure_that_rules_cannot_decide_is_refused(tmp_path: Path) -> None:
    chosen = {"measure": "mutual_information", **SELECTION}
    model = load_model(save_calibrated(tmp_path, selection=chosen))
    assert model.predict(X, 50, 7, ["mutual_information"]).measures["accept"].any()
    with pytest.raises(InputError, match="depends on 'mutual_information' in the model's calibr"):
        model.predict(X, {"decide": {"measure": "accept"}})


def test_deterministic_answers_are_not_calibrated(model: Predictor, digits: Predictor) -> None:
    found, wanted = model.predict_deterministic(X), digits.predict_deterministic(X)
    np.testing.assert_array_equal(found["probabilities"], wanted["probabilities"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"model": {"sha256": HASH, "task": "classification", "outputs": ["probabilities"]}},
            "model.sha256: it was fitted to a model with 000000000000…, and this one has ",
        ),
        (
            {"model": {"sha256": HASH, "task": "regression", "outputs": ["probabilities"]}},
            "model.task: it was fitted to a regression, and the model is a classification.",
        ),
        (
            {
                "model": {"sha256": HASH, "task": "classification", "outputs": ["logits"]},
                "output": "logits",
            },
            "model.outputs: it was fitted to ['logits'], and the model has ['probabilities'].",
        ),
        ({"noise_precision": 1.0}, "noise_precision: it is that of a regression, and the model "),
        (
            {"selection": {"measure": "total", **SELECTION}},
            "selection.measure: measures names ['total']; a model of task 'classification' has",
        ),
        (
            {"selection": {"measure": "accept", **SELECTION}},
            "selection.measure: measures names 'accept', and the model's calibration has no thr",
        ),
        (
            {"selection": {"measure": "calibrated", **SELECTION}},
            "selection.measure: 'calibrated' of output 'probabilities' has no values that a ",
        ),
        (
            {"reference": {"epistemic": {"edges": [1], "counts": [1, 1]}}},
            "reference: measures names ['epistemic']",
        ),
        (
            {"sampling": {"passes": 50, "seed": 1, "sites": ["dropout_7"]}},
            "sampling: sites names ['dropout_7']; the model has ",
        ),
        ({"temperature": -1}, "temperature: Input should be greater than 0."),
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(
    tmp_path: Path, model: Predictor, artifact: Artifact, changed: dict[str, Any], message: str
) -> None:
    path = save_calibrated(tmp_path, **changed)
    with pytest.raises(ArtifactError) as raised:
        find_calibration(replace(artifact, path=path), model.sampler.plan, "refuse")
    assert str(raised.value).startswith(f"{path.parent}/calibration.json: {message}")
    assert "Fit it again with mcdropout calibrate, or remove it." in str(raised.value)


def test_a_calibration_that_does_not_fit_may_be_ignored(tmp_path: Path) -> None:
    path = save_calibrated(tmp_path, noise_precision=1.0)
    with pytest.raises(ArtifactError, match="noise_precision") as raised:
        load_model(path)
    model = load_model(path, on_misfit="ignore")
    assert model.calibration.document is None
    assert model.calibration.ignored == str(raised.value)
    assert not model.predict(X[:1], 2, 1).measures
    for asked in ({"calibrated": True}, {"measures": ["accept"]}):
        with pytest.raises(InputError, match="calibration of the model does not fit it and is ig"):
            model.predict(X, **asked)


def test_a_calibration_of_another_model_is_refused(tmp_path: Path) -> None:
    path = save_calibrated(tmp_path)
    path.with_name("model.mcdropout.json").write_text(json.dumps({"passes": 30}))
    with pytest.raises(ArtifactError, match="its data files or its sidecar were changed"):
        load_model(path)
    calibrate(path)
    assert load_model(path).manifest.passes == 30


def test_the_demo_models_are_as_before_without_one(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes((STORE / "digits" / "1" / "model.onnx").read_bytes())
    assert not load_model(path).predict(X[:1], 2, 1).measures
