"""Keras models of logits: probabilities are served, as Keras' own passes give them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import keras
import numpy as np
import onnxruntime
import pytest
from keras import layers
from numpy.typing import NDArray

from models.export import export_model
from scripts.local_server import LocalServer, local_server
from service import load_model
from service.core.entropy import entropy
from tests.conftest import SIGMAS
from tests.models.export.refusals import refused
from tests.service.api.protocol import opened, packed

pytestmark = pytest.mark.slow
PASSES = 20_000
X = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)


def logits(units: int) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((6,), name="x"),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.4),
            layers.Dense(units, name="scores"),
        ]
    )


ABC = ["a", "b", "c"]
#: Name of a model to its outputs, task, labels and link.
CASES: dict[str, tuple[int, Any]] = {
    "classes": (3, {"task": "classification", "labels": ABC, "link": "softmax"}),
    "single": (1, {"task": "classification", "labels": ["n", "y"], "link": {"scores": "sigmoid"}}),
    "each": (
        3,
        {"task": "multilabel_classification", "labels": ABC, "link": "sigmoid"},
    ),
}

#: What the sidecar of a copy of `classes` says.
PLAIN = {"task": "regression", "labels": None, "noise_precision": 4.0}
PLAIN_TOO = {"link": "identity", "measures": []}


def probabilities(y: NDArray[Any], link: Any) -> NDArray[Any]:
    y = y.astype(np.float64)
    if link != "softmax":
        return np.asarray(1 / (1 + np.exp(-y)))
    powers = np.exp(y - y.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


@pytest.fixture(scope="module")
def keras_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, keras.Model]:
    keras.utils.set_random_seed(0)
    return {name: logits(units) for name, (units, _) in CASES.items()}


@pytest.fixture(scope="module")
def store(keras_models: dict[str, keras.Model], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    for name, (_, said) in CASES.items():
        export_model(keras_models[name], folder / name / "1" / "model.onnx", **said)
    shutil.copytree(folder / "classes", folder / "plain")
    (folder / "plain" / "1" / "model.mcdropout.json").write_text(json.dumps(PLAIN | PLAIN_TOO))
    return folder


@pytest.fixture(scope="module")
def server(store: Path) -> Iterator[LocalServer]:
    with local_server(store) as running:
        yield running


def asked(server: LocalServer, name: str, protocol: str) -> dict[str, NDArray[np.float64]]:
    """Mean and variance of the probabilities by a protocol, and their entropy."""
    options = {"passes": PASSES, "seed": 7}
    if protocol == "v1":
        body = {"inputs": X.tolist(), "measures": ["predictive_entropy"], **options}
        answer = httpx.post(f"{server.url}/v1/models/{name}:predict", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return {quantity: np.array(y) for quantity, y in answer.json()["outputs"].items()}
    names = [{"name": quantity} for quantity in ("mean", "variance", "predictive_entropy")]
    sent = packed({"x": X}, parameters=options, outputs=names)
    answer = httpx.post(f"{server.url}/v2/models/{name}/infer", **sent, timeout=60)
    return opened(answer)[1]


@pytest.mark.parametrize("protocol", ["v1", "v2"])
@pytest.mark.parametrize("name", ["classes", "single"])
def test_served_probabilities_vary_as_those_of_keras(
    name: str, protocol: str, server: LocalServer, keras_models: dict[str, keras.Model]
) -> None:
    link = CASES[name][1]["link"]
    tiled = keras_models[name](np.repeat(X, PASSES, axis=0), training=True).numpy()
    y = probabilities(tiled, link).reshape(len(X), PASSES, -1)
    mean, variance = y.mean(axis=1), y.var(axis=1, ddof=1)
    fourth = ((y - mean[:, None]) ** 4).mean(axis=1)
    found = asked(server, name, protocol)
    error = np.sqrt(2 * variance / PASSES)
    assert (np.abs(found["mean"] - mean) < SIGMAS * error).all()
    error = np.sqrt(2 * (fourth - variance**2) / PASSES)
    assert (np.abs(found["variance"] - variance) < SIGMAS * error).all()
    np.testing.assert_allclose(
        found["predictive_entropy"], entropy(found["mean"]), rtol=0, atol=1e-9
    )


def test_a_single_pass_with_dropout_off_is_the_link_of_keras(
    server: LocalServer, keras_models: dict[str, keras.Model]
) -> None:
    for name, (_, said) in CASES.items():
        body = {"inputs": X.tolist(), "training": False}
        answer = httpx.post(f"{server.url}/v1/models/{name}:predict", json=body)
        wanted = probabilities(keras_models[name](X, training=False).numpy(), said["link"])
        np.testing.assert_allclose(answer.json()["outputs"]["output"], wanted, atol=1e-6)


def test_the_file_gives_logits_still(store: Path, keras_models: dict[str, keras.Model]) -> None:
    session = onnxruntime.InferenceSession(store / "classes" / "1" / "model.onnx")
    (found,) = session.run(None, {"x": X, "training": np.array(False)})
    wanted = keras_models["classes"](X, training=False).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_details_say_task_labels_and_link(server: LocalServer) -> None:
    details = httpx.get(f"{server.url}/v1/models/single").json()
    assert (details["task"], details["labels"]) == ("classification", ["n", "y"])
    assert [output["link"] for output in details["outputs"]] == ["sigmoid"]
    details = httpx.get(f"{server.url}/v1/models/plain").json()
    assert details["outputs"][0]["link"] == "identity"
    assert details["default_measures"] == []
    assert {name: details[name] for name in PLAIN} == PLAIN


def test_noise_and_measures_are_written_and_told(tmp_path: Path) -> None:
    manifest = export_model(
        logits(2),
        tmp_path / "both" / "1" / "model.onnx",
        task="heteroscedastic_regression",
        noise={"mean": "scores", "noise": "scores", "form": "log_variance"},
        measures=["quantiles:0.1:0.9"],
    )
    assert manifest.noise is not None
    assert manifest.noise.form == "log_variance"
    assert manifest.measures == ("quantiles:0.1:0.9",)


def test_default_measures_are_those_of_the_task(store: Path, tmp_path: Path) -> None:
    measures = {name: load_model(store / name / "1" / "model.onnx").manifest for name in CASES}
    classes = ("predicted_class", "label", "confidence", "predictive_entropy")
    assert measures["classes"].measures == measures["single"].measures == classes
    assert measures["each"].measures == ()
    plain = export_model(logits(1), tmp_path / "model.onnx", task="regression")
    assert plain.measures == ("std",)


@pytest.mark.parametrize(
    ("units", "said", "message"),
    [
        (3, {"task": "classification"}, 'export it with --link softmax (link="softmax")'),
        (3, {"task": "multilabel_classification"}, "or sigmoid of single ones"),
        (3, {"link": "relu"}, "the arguments: link: Input should be 'identity', 'softmax' or"),
        (3, {"link": {"y": "softmax"}}, "link: there is no output 'y'; there are ['scores']"),
        (1, {"link": "softmax"}, "The link of a single logit is sigmoid"),
        (
            1,
            {"task": "classification", "link": "sigmoid", "labels": ["yes"]},
            "labels: 1 labels were given, and output 'scores' has 2 classes",
        ),
        (3, {"noise_precision": 2.0}, "noise_precision: it is that of a regression"),
        (3, {"measures": ["entropy"]}, "measures: names ['entropy']"),
    ],
)
def test_what_does_not_fit_is_refused(
    units: int, said: dict[str, Any], message: str, tmp_path: Path
) -> None:
    assert message in refused(logits(units), tmp_path / "model.onnx", **said)
