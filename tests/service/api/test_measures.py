"""Measures over both protocols and the client, by a real server process."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from models.zoo.data import digits_splits
from scripts.local_server import LocalServer, local_server
from service import Predictor, load_model
from service.client import Client
from service.core.measures import measures_of
from service.manifest import NoiseSpec
from tests.service.api.answers import answer
from tests.service.api.protocol import tensor
from tests.service.reference import save
from tests.service.said import save_said

X = digits_splits()[1].x[:4].astype(np.float32)
NOISE = NoiseSpec(mean="probabilities", noise="probabilities", form="variance")
SAID: dict[str, dict[str, Any]] = {
    "digits": {},
    "elements": {
        "task": "multilabel_classification",
        "measures": ("label", "quantiles:0.25:0.75"),
    },
    "noisy": {"task": "heteroscedastic_regression", "labels": None, "noise": NOISE},
}
#: A file of another framework, which gives the mean and the scale of the noise, and more.
TWO = (
    "[drop] k = Dropout(x, half, on) mean = Mul(k, two) scale = Abs(k) rest = Neg(x)",
    "float half = {0.5}, bool on = {1}, float two = {2}",
    "float[batch, 3] x",
    "float[batch, 3] mean, float[batch, 3] scale, float[batch, 3] rest",
)
SIDECAR = {
    "task": "heteroscedastic_regression",
    "noise": {"mean": "mean", "noise": "scale", "form": "scale"},
    "measures": ["total"],
}
OPTIONS: dict[str, Any] = {"passes": 20, "seed": 7}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name, fields in SAID.items():
        save_said(folder / name / "1" / "model.onnx", **fields)
    (folder / "two" / "1").mkdir(parents=True)
    path = save(TWO[0], folder / "two" / "1" / "model.onnx", *TWO[1:])
    path.with_suffix(".mcdropout.json").write_text(json.dumps(SIDECAR))
    return folder


@pytest.fixture(scope="module")
def said(store: Path) -> Iterator[LocalServer]:
    with local_server(store) as server:
        yield server


@pytest.fixture(scope="module")
def client(said: LocalServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=said.url, timeout=60) as http:
        yield http


@pytest.fixture(scope="module")
def models(store: Path) -> dict[str, Predictor]:
    return {name: load_model(store / name / "1" / "model.onnx") for name in SAID}


@pytest.mark.parametrize("name", SAID)
def test_every_measure_comes_over_both_protocols(
    client: httpx.Client, models: dict[str, Predictor], name: str
) -> None:
    names = measures_of(models[name].terms.widest.facts)
    wanted = models[name].predict(X, **OPTIONS, measures=names)
    values = {"mean": wanted.mean, "variance": wanted.variance, **wanted.measures}
    body = {**OPTIONS, "measures": names}
    url = f"/v1/models/{name}:predict"
    by_row = answer(client.post(url, json={"instances": X.tolist(), **body}))["predictions"]
    by_column = answer(client.post(url, json={"inputs": X.tolist(), **body}))["outputs"]
    parameters = {**OPTIONS, "measures": ",".join(names)}
    asked = {"inputs": [tensor("pixels", X)], "parameters": parameters}
    outputs = answer(client.post(f"/v2/models/{name}/infer", json=asked))["outputs"]
    assert list(by_row[0]) == list(by_column) == [o["name"] for o in outputs] == [*values]
    for output in outputs:
        array = values[output["name"]]
        assert [row[output["name"]] for row in by_row] == array.tolist()
        assert by_column[output["name"]] == array.tolist()
        assert (output["shape"], output["data"]) == ([*array.shape], array.ravel().tolist())
        assert output["datatype"] == {"f": "FP64", "i": "INT64", "U": "BYTES"}[array.dtype.kind]


@pytest.mark.parametrize("name", SAID)
def test_the_client_has_what_the_library_has(
    said: LocalServer, models: dict[str, Predictor], name: str
) -> None:
    names = measures_of(models[name].terms.widest.facts)
    with Client(said.url) as client:
        for given in (names, None, []):
            found = client.predict(name, X, 20, 7, given)
            wanted = models[name].predict(X, 20, 7, given)
            assert found["probabilities"] == wanted["probabilities"]
            kinds = {key: y.dtype for key, y in wanted.measures.items()}
            assert {key: y.dtype for key, y in found.measures.items()} == kinds


def test_noise_of_another_output_is_measured_with_the_mean(
    client: httpx.Client, said: LocalServer, store: Path
) -> None:
    x = np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]], np.float32)
    wanted = load_model(store / "two" / "1" / "model.onnx").predict({"x": x}, **OPTIONS)
    assert [list(one.measures) for one in wanted.values()] == [["total"], [], []]
    total = wanted["mean"].measures["total"]
    by_row = answer(
        client.post("/v1/models/two:predict", json={"instances": x.tolist(), **OPTIONS})
    )["predictions"]
    assert [row["mean"]["total"] for row in by_row] == total.tolist()
    asked = {"inputs": [tensor("x", x)], "parameters": OPTIONS}
    outputs = answer(client.post("/v2/models/two/infer", json=asked))["outputs"]
    moments = [f"{name}.{moment}" for name in wanted for moment in ("mean", "variance")]
    assert [o["name"] for o in outputs] == [*moments[:2], "mean.total", *moments[2:]]
    assert outputs[2]["data"] == total.ravel().tolist()
    with Client(said.url) as other:
        assert dict(other.predict("two", x, 20, 7)) == dict(wanted)


def test_measures_come_as_arrays(client: httpx.Client, models: dict[str, Predictor]) -> None:
    names = ["label", "predicted_class", "samples", "deterministic"]
    response = client.post(
        f"/v1/models/elements:predict?passes=20&seed=7&measures={','.join(names)}",
        content=X.tobytes(),
        headers={"Content-Type": "application/octet-stream", "Accept": "application/x-npz"},
    )
    wanted = models["elements"].predict(X, **OPTIONS, measures=names)
    with np.load(io.BytesIO(response.content)) as found:
        assert list(found) == ["mean", "variance", *names]
        for name in names:
            np.testing.assert_array_equal(found[name], wanted.measures[name])


def test_a_request_without_measures_has_the_model_s_own(client: httpx.Client) -> None:
    own = ["mean", "variance", "label", "quantiles"]
    url, rows = "/v1/models/elements:predict", {"instances": X.tolist(), **OPTIONS}
    assert list(answer(client.post(url, json=rows))["predictions"][0]) == own
    none = answer(client.post(url, json={**rows, "measures": []}))["predictions"][0]
    assert list(none) == ["mean", "variance"]
    raw = {"Content-Type": "application/octet-stream"}
    none = client.post(f"{url}?measures=", content=X.tobytes(), headers=raw)
    assert list(answer(none)["predictions"][0]) == ["mean", "variance"]
    url, body = "/v2/models/elements/infer", {"inputs": [tensor("pixels", X)]}
    assert [o["name"] for o in answer(client.post(url, json=body))["outputs"]] == own
    some = {**body, "outputs": [{"name": "mean"}]}
    assert [o["name"] for o in answer(client.post(url, json=some))["outputs"]] == ["mean"]
    none = {**body, "parameters": {"measures": ""}}
    assert [o["name"] for o in answer(client.post(url, json=none))["outputs"]] == own[:2]


def test_a_model_says_what_measures_it_has(
    client: httpx.Client, models: dict[str, Predictor]
) -> None:
    details = answer(client.get("/v1/models/noisy"))
    listed = {measure.pop("name"): measure for measure in details["measures"]}
    assert list(listed) == measures_of(models["noisy"].terms.widest.facts)
    assert listed["predictive_interval"] == {
        "description": "Central interval that an observation lies in with a given probability.",
        "unit": "output",
        "dtype": "float64",
        "arguments": {"level": 0.9},
        "shapes": {"probabilities": [None, 5, 2]},
    }
    assert details["default_measures"] == []
    elements = answer(client.get("/v1/models/elements"))
    assert elements["default_measures"] == ["label", "quantiles:0.25:0.75"]
    dtypes = {measure["name"]: measure["dtype"] for measure in elements["measures"]}
    assert (dtypes["label"], dtypes["predicted_class"]) == ("string", "int64")


def test_samples_beyond_the_limit_of_an_answer_are_refused(client: httpx.Client) -> None:
    body = {"instances": X.tolist(), "passes": 250_000, "measures": ["samples"]}
    response = client.post("/v1/models/digits:predict", json=body)
    assert response.status_code == 413
    assert "its rows and its answer take about 6" in response.json()["error"]
    assert "and this server allows at most" in response.json()["error"]
