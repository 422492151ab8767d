"""Calibrated answers of models that predict several things for a row, of a real server process."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from scripts.local_server import LocalServer, local_server
from service import Predictor, load_model
from service.cli import app
from service.client import Client
from service.fitting import calibrate
from tests.service.api.answers import answer
from tests.service.api.protocol import tensor
from tests.service.fitting import fitted_models as models

pytestmark = pytest.mark.slow

X = models.rows(6, 4, 1)
STEPS = 2 * np.random.default_rng(2).normal(size=(4, 3, 4)).astype(np.float32)
HOW: dict[str, Any] = {"passes": 50, "seed": 7}
URL = "/v1/models/labels:predict"
OWN = ["accept", "prediction_set", "calibrated", "reason"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    labels = models.label_model(folder / "labels" / "1")
    data = models.with_flags(models.loaded(labels), models.rows(600, 4, 3), 1.6, 4)
    calibrate(labels, data.rows["x"], data.targets, coverage=0.6).save()
    steps = models.step_model(folder / "steps" / "1")
    x = np.random.default_rng(5).normal(size=(200, 3, 4)).astype(np.float32)
    data = models.with_steps(models.loaded(steps), x, 6)
    calibrate(steps, x, data.targets, sets=["lac", "aps"], coverage=0.5).save()
    return folder


@pytest.fixture(scope="module")
def server(store: Path) -> Iterator[LocalServer]:
    with local_server(store) as running:
        yield running


@pytest.fixture(scope="module")
def http(server: LocalServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def model(store: Path) -> Predictor:
    return load_model(store / "labels" / "1" / "model.onnx")


def labels(inside: np.ndarray) -> list[list[str]]:
    return [["abcd"[n] for n in np.flatnonzero(row)] for row in inside]


def test_rows_of_json_have_the_labels_of_their_sets(http: httpx.Client, model: Predictor) -> None:
    rows = answer(http.post(URL, json={"instances": X.tolist(), **HOW}))["predictions"]
    wanted = model.predict(X, **HOW).measures
    assert [row["prediction_set"] for row in rows] == labels(wanted["prediction_set"])
    for name in ("calibrated", "accept", "reason"):
        assert [row[name] for row in rows] == wanted[name].tolist()
    assert {type(row["accept"]) for row in rows} == {bool}
    assert 0 < wanted["accept"].sum() < len(X)


def test_arrays_have_a_number_for_each_label(http: httpx.Client, model: Predictor) -> None:
    wanted = model.predict(X, **HOW).measures
    body = {"inputs": X.tolist(), **HOW}
    response = http.post(URL, json=body, headers={"Accept": "application/x-npz"})
    arrays = np.load(io.BytesIO(response.content))
    asked: dict[str, Any] = {"inputs": [tensor("x", X)], "parameters": HOW}
    found = answer(http.post("/v2/models/labels/infer", json=asked))["outputs"]
    outputs = {one["name"]: one for one in found}
    assert [*outputs] == ["mean", "variance", *OWN]
    for name in OWN[:3]:
        np.testing.assert_array_equal(arrays[name], wanted[name])
        assert outputs[name]["shape"] == [*wanted[name].shape]
        assert outputs[name]["data"] == wanted[name].ravel().tolist()


def test_a_stream_ends_with_the_answer(http: httpx.Client) -> None:
    body = {"instances": X.tolist(), **HOW}
    headers = {"Accept": "application/x-ndjson"}
    lines = http.post(URL, json=body, headers=headers).text.splitlines()
    plain = answer(http.post(URL, json=body))
    assert httpx.Response(200, text=lines[-1]).json() == {**plain, "final": True}


def test_metadata_have_the_shapes_of_labels(http: httpx.Client) -> None:
    listed = {one["name"]: one for one in answer(http.get("/v1/models/labels"))["measures"]}
    shapes = [listed[name]["shapes"]["y"] for name in OWN]
    assert shapes == [[None], [None, 4], [None, 4], [None]]


def test_easy_rows_stop_early(http: httpx.Client) -> None:
    rule = {"max": 640, "decide": {"measure": "accept"}}
    found = answer(http.post(URL, json={"instances": X.tolist(), "passes": rule, "seed": 7}))
    assert found["row_settled"].count(True) >= 4
    assert min(found["row_passes"]) <= 40


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_a_request_chooses_the_method(server: LocalServer, store: Path, method: str) -> None:
    asked = {"prediction_set": {"method": method, "coverage": 0.95}}
    wanted = load_model(store / "steps" / "1" / "model.onnx").predict(
        STEPS, **HOW, measures=[asked]
    )
    inside = wanted.measures["prediction_set"]
    assert inside.shape == STEPS.shape
    with Client(server.url) as client:
        found = client.predict("steps", STEPS, **HOW, measures=[asked])
        assert dict(found) == dict(wanted)
    text = f"prediction_set:coverage=0.95:method={method}"
    with httpx.Client(base_url=server.url) as http:
        v2 = {"inputs": [tensor("x", STEPS)], "parameters": HOW, "outputs": [{"name": text}]}
        (one,) = answer(http.post("/v2/models/steps/infer", json=v2))["outputs"]
        assert one["data"] == inside.ravel().tolist()
        body = {"instances": STEPS.tolist(), **HOW, "measures": [asked]}
        rows = answer(http.post("/v1/models/steps:predict", json=body))["predictions"]
        assert [row["prediction_set"] for row in rows] == [labels(row) for row in inside]
        assert [row["accept"] for row in rows] == wanted.measures["accept"].tolist()


def test_the_table_and_files_have_labels(store: Path, model: Predictor, tmp_path: Path) -> None:
    wanted = model.predict(X, **HOW).measures
    np.save(tmp_path / "x.npy", X)
    command = ["predict", str(store / "labels" / "1" / "model.onnx"), str(tmp_path / "x.npy")]
    how = ["--passes", "50", "--seed", "7"]
    table = CliRunner(env={"COLUMNS": "120"}).invoke(app, [*command, *how]).stdout
    for inside, line in zip(labels(wanted["prediction_set"]), table.splitlines()[2:], strict=False):
        assert ", ".join(inside) in line
    to = ["--output", str(tmp_path / "found.json")]
    assert CliRunner().invoke(app, [*command, *how, *to]).exit_code == 0
    rows = json.loads((tmp_path / "found.json").read_text())["predictions"]
    assert [row["prediction_set"] for row in rows] == labels(wanted["prediction_set"])
