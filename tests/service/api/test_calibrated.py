"""Calibrated answers of a real server process, over all protocols."""

import io
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from models.zoo.data import digits_splits
from scripts.local_server import LocalServer, local_server
from service import Predictor, load_model
from service.client import Client
from tests.service.api.answers import answer
from tests.service.api.hosted import until
from tests.service.api.protocol import opened, packed, tensor
from tests.service.calibration.models import calibrate, save_calibrated

pytestmark = pytest.mark.slow

TEST = digits_splits()[1].x.astype(np.float32)
X = TEST[:6]
HOW: dict[str, Any] = {"passes": 50, "seed": 7}
URL, INFER = "/v1/models/digits:predict", "/v2/models/digits/infer"
OWN = ["accept", "prediction_set", "calibrated", "reason"]
ASKED: list[dict[str, Any]] = [{}, {"calibrated": False}, {"rate_scale": 0.5}]
MEASURES = ["predictive_entropy", "confidence"]


def reference(model: Predictor, name: str, x: np.ndarray) -> dict[str, Any]:
    """The distribution of a measure in five bins; shared masks would move all rows together."""
    values = model.predict(x, 100, 1, [name], masks="per_row").measures[name]
    edges = np.quantile(values, [0.2, 0.4, 0.6, 0.8])
    counts = np.bincount(np.searchsorted(edges, values), minlength=5)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, digits: Predictor) -> Path:
    folder = tmp_path_factory.mktemp("models")
    found = {name: reference(digits, name, TEST[::2]) for name in MEASURES}
    for name in ("digits", "drifting"):
        save_calibrated(folder, as_name=name, reference=found)
    save_calibrated(folder, "co2")
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
    return load_model(store / "digits" / "1" / "model.onnx")


def test_rows_of_json_have_the_labels_of_their_sets(http: httpx.Client, model: Predictor) -> None:
    rows = answer(http.post(URL, json={"instances": X.tolist(), **HOW}))["predictions"]
    wanted = model.predict(X, **HOW).measures
    sets = [[f"{n}" for n in np.flatnonzero(inside)] for inside in wanted["prediction_set"]]
    assert [row["prediction_set"] for row in rows] == sets
    for name in ("calibrated", "accept", "reason"):
        assert [row[name] for row in rows] == wanted[name].tolist()
    assert {type(row["accept"]) for row in rows} == {bool}


def test_arrays_have_a_bool_for_each_class(http: httpx.Client, model: Predictor) -> None:
    wanted = model.predict(X, **HOW).measures
    body = {"inputs": X.tolist(), **HOW}
    by_column = answer(http.post(URL, json=body))["outputs"]
    assert by_column["prediction_set"] == wanted["prediction_set"].tolist()
    response = http.post(URL, json=body, headers={"Accept": "application/x-npz"})
    arrays = np.load(io.BytesIO(response.content))
    asked: dict[str, Any] = {"inputs": [tensor("pixels", X)], "parameters": HOW}
    outputs = {one["name"]: one for one in answer(http.post(INFER, json=asked))["outputs"]}
    assert [*outputs] == ["mean", "variance", *OWN]
    asked = {
        "parameters": {**HOW, "binary_data_output": True},
        "outputs": [{"name": "prediction_set"}, {"name": "accept"}],
    }
    _, behind = opened(http.post(INFER, **packed({"pixels": X}, **asked)))
    for name in ("prediction_set", "accept"):
        assert arrays[name].dtype == behind[name].dtype == np.bool_
        np.testing.assert_array_equal(arrays[name], wanted[name])
        np.testing.assert_array_equal(behind[name], wanted[name])
        assert outputs[name]["datatype"] == "BOOL"
        assert outputs[name]["data"] == wanted[name].ravel().tolist()


def test_v2_takes_a_coverage_as_argument(http: httpx.Client, model: Predictor) -> None:
    asked = {"inputs": [tensor("pixels", X)], "parameters": HOW}
    outputs = [{"name": "prediction_set:0.95"}, {"name": "accept"}]
    found, accept = answer(http.post(INFER, json={**asked, "outputs": outputs}))["outputs"]
    wanted = model.predict(X, **HOW, measures=[{"prediction_set": 0.95}]).measures
    assert found["data"] == wanted["prediction_set"].ravel().tolist()
    assert accept["data"] == wanted["accept"].tolist()


def test_the_client_has_what_the_library_has(server: LocalServer, model: Predictor) -> None:
    with Client(server.url) as client:
        found = client.predict("digits", X, **HOW)
        assert dict(found) == dict(model.predict(X, **HOW))
        assert found.measures["accept"].dtype == np.bool_
        plain = client.predict("digits", X, **HOW, calibrated=False)
        assert dict(plain) == dict(model.predict(X, **HOW, calibrated=False))
        assert not plain.measures
        *_, last = client.stream("digits", X, **HOW)
        assert last == found


def test_a_stream_gives_labels_to_rows_of_json(http: httpx.Client) -> None:
    body = {"instances": X.tolist(), **HOW}
    headers = {"Accept": "application/x-ndjson"}
    lines = http.post(URL, json=body, headers=headers).text.splitlines()
    plain = answer(http.post(URL, json=body))
    assert len(lines) == 2
    assert httpx.Response(200, text=lines[-1]).json() == {**plain, "final": True}


def test_easy_rows_stop_early(http: httpx.Client) -> None:
    rule = {"max": 640, "decide": {"measure": "accept"}}
    body = {"instances": X.tolist(), "passes": rule, "seed": 7}
    found = answer(http.post(URL, json=body))
    assert min(found["row_passes"]) == 20
    assert found["row_settled"].count(True) >= 5


def test_deterministic_answers_are_neither_accepted_nor_calibrated(http: httpx.Client) -> None:
    body = {"instances": X.tolist(), "training": False}
    rows = answer(http.post(URL, json=body))["predictions"]
    assert [*rows[0]] == ["output"]
    refused = http.post(URL, json={**body, "calibrated": True})
    assert refused.status_code == 400
    assert "leave out ['calibrated']" in refused.json()["error"]


def test_answers_do_not_depend_on_company(http: httpx.Client, model: Predictor) -> None:
    def ask(index: int) -> None:
        row = X[index % len(X)].tolist()
        options = ASKED[index % len(ASKED)]
        body = {"instances": [row], "passes": 200, "seed": index, **options}
        (found,) = answer(http.post(URL, json=body))["predictions"]
        wanted = model.predict([row], 200, index, **options)
        assert found["mean"] == wanted.mean[0].tolist()
        assert ("accept" in found) == (not options)
        for name in wanted.measures.keys() - {"prediction_set"}:
            assert found[name] == wanted.measures[name].tolist()[0]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(24)))


def without_nulls(found: dict[str, Any]) -> dict[str, Any]:
    """As `/v2` writes objects."""
    return {
        name: without_nulls(value) if isinstance(value, dict) else value
        for name, value in found.items()
        if value is not None
    }


def test_metadata_tell_what_is_applied(http: httpx.Client) -> None:
    found = answer(http.get("/v1/models/digits"))
    applied = found["calibration"]
    assert applied["sets"][1] == {"method": "aps", "coverage": 0.95, "threshold": 0.8}
    assert applied["selection"]["guarantee"].startswith("at most 1 % of accepted answers")
    assert (applied["data"], applied["rows"]) == ("valid.npz", 500)
    assert applied["created"] == "2026-01-02T03:04:05Z"
    listed = {one["name"]: one for one in found["measures"]}
    assert {listed[name]["dtype"] for name in OWN} == {"float64", "bool", "string"}
    assert listed["accept"]["shapes"] == {"probabilities": [None]}
    serving = answer(http.get("/v1/models/digits/metadata"))["metadata"]
    other = answer(http.get("/v2/models/digits"))
    assert serving["calibration"] == applied
    assert other["calibration"] == without_nulls(applied)
    tensors = {one["name"]: one["datatype"] for one in other["outputs"]}
    assert [tensors[name] for name in OWN] == ["BOOL", "BOOL", "FP64", "BYTES"]


def test_a_regression_has_intervals(http: httpx.Client) -> None:
    body = {"instances": [[1985.0], [2010.0]], "measures": ["total"], **HOW}
    inside, beyond = answer(http.post("/v1/models/co2:predict", json=body))["predictions"]
    assert inside["accept"] is True
    assert beyond["accept"] is False
    ((low, high),) = beyond["prediction_interval"]
    assert math.isclose(high - low, 3 * math.sqrt(beyond["total"][0]), rel_tol=1e-12)


def counts(http: httpx.Client) -> dict[tuple[str, ...], float]:
    """Value of each series of the model `drifting`, by name and labels."""
    return {
        (sample.name, *(v for k, v in sample.labels.items() if k not in ("model", "version"))): (
            sample.value
        )
        for family in text_string_to_metric_families(http.get("/metrics").text)
        for sample in family.samples
        if sample.labels.get("model") == "drifting"
    }


def decisions(found: dict[tuple[str, ...], float]) -> float:
    """All that were counted, which is shortly after the answer."""
    return sum(value for key, value in found.items() if key[0] == "mcdropout_decisions_total")


def has_counted(http: httpx.Client, number: float) -> bool:
    return decisions(counts(http)) == number


def psi(before: dict[tuple[str, ...], float], after: dict[tuple[str, ...], float]) -> float:
    """The greatest population stability index of a measure, as deploy/alerts.yml computes it."""
    found = []
    for measure in MEASURES:
        bins = [key[2] for key in after if key[:2] == ("mcdropout_expected_measure_ratio", measure)]
        key = "mcdropout_measure_values_total", measure
        values = np.array([after[*key, one] - before[*key, one] for one in bins])
        expected = [after["mcdropout_expected_measure_ratio", measure, one] for one in bins]
        a, e = np.maximum(values / values.sum(), 0.001), np.maximum(expected, 0.001)
        found.append(float(((a - e) * np.log(a / e)).sum()))
    return max(found)


def test_noisy_images_drift_and_held_out_ones_do_not(http: httpx.Client) -> None:
    noise = np.random.default_rng(0).normal(0, 6, TEST[1::2].shape)
    stages = [counts(http)]
    for x in (TEST[1::2], np.clip(TEST[1::2] + noise, 0, 16)):
        body = {"instances": x.tolist(), "passes": 100, "seed": 3, "masks": "per_row"}
        rows = answer(http.post("/v1/models/drifting:predict", json=body))["predictions"]
        until(partial(has_counted, http, decisions(stages[-1]) + len(x)))
        stages.append(counts(http))
        accepted = sum(row["accept"] for row in rows)
        for accept, number in (("true", accepted), ("false", len(x) - accepted)):
            key = "mcdropout_decisions_total", accept
            assert stages[-1][key] - stages[-2][key] == number
    assert psi(*stages[:2]) < 0.1
    assert psi(*stages[1:]) > 0.25
    assert stages[0]["mcdropout_expected_abstention_ratio",] == pytest.approx(0.1)


def test_another_rate_does_not_count(http: httpx.Client) -> None:
    before = counts(http)
    body = {"instances": X.tolist(), **HOW, "rate_scale": 0.5}
    answer(http.post("/v1/models/drifting:predict", json=body))
    assert {k: v for k, v in counts(http).items() if "measure_values" in k[0]} == {
        k: v for k, v in before.items() if "measure_values" in k[0]
    }


def test_a_misfit_is_told_without_the_folder(store: Path, tmp_path: Path) -> None:
    for name in ("refused", "fine"):
        save_calibrated(tmp_path, as_name=name)
    calibrate(tmp_path / "refused" / "1" / "model.onnx", temperature=-1)
    with local_server(tmp_path) as server, httpx.Client(base_url=server.url) as client:
        found = answer(client.get("/v1/models/refused"))
        assert found["state"] == "failed"
        wanted = "refused/1/calibration.json: temperature: Input should be greater than 0."
        assert found["reason"].startswith(f"{wanted} Fit it again with mcdropout calibrate, or")
        assert str(tmp_path) not in found["reason"]
        assert answer(client.get("/v1/models/fine"))["state"] == "ready"
