"""Stopping rules by a real server, in every form of request and answer."""

import io
import json
import os
import time
from typing import Any

import httpx
import numpy as np
import pytest

from scripts.local_server import LocalServer, local_server
from service import Predictor
from service.api.tfserving.arrays import NPZ, RAW
from service.client import Client
from service.protocol.adaptive import AdaptivePasses
from service.protocol.prediction import Prediction
from tests.conftest import STORE
from tests.service.api.protocol import tensor

X = np.random.default_rng(3).uniform(0, 16, (6, 64)).astype(np.float32)
X[::2] = 4.0
TEXT = "max=150,tolerance=0.03"
RULE: dict[str, Any] = {"max": 150, "tolerance": 0.03}
V1, V2 = "/v1/models/digits:predict", "/v2/models/digits/infer"


@pytest.fixture(scope="module")
def wanted(digits: Predictor) -> Prediction:
    found = digits.predict(X, TEXT, 7, measures=["standard_error"])
    assert found.row_passes is not None
    assert found.row_settled is not None
    assert len(set(found.row_passes)) > 2
    assert 0 < found.row_settled.sum() < len(X)
    return found


def require_same(found: Any, wanted: Prediction) -> None:
    """Of lists or arrays by name."""
    assert wanted.row_passes is not None
    assert wanted.row_settled is not None
    np.testing.assert_array_equal(found["row_passes"], wanted.row_passes)
    np.testing.assert_array_equal(found["row_settled"], wanted.row_settled)
    np.testing.assert_array_equal(found["mean"], wanted.mean)
    np.testing.assert_array_equal(found["standard_error"], wanted.measures["standard_error"])


def test_json_by_row_has_the_passes_of_each_row(client: httpx.Client, wanted: Prediction) -> None:
    answer = client.post(V1, json={"instances": X.tolist(), "passes": RULE, "seed": 7}).json()
    assert answer["passes"] == wanted.passes
    rows = {key: [row[key] for row in answer["predictions"]] for key in ("mean", "standard_error")}
    require_same(answer | rows, wanted)


def test_json_by_column_has_the_passes_of_each_row(
    client: httpx.Client, wanted: Prediction
) -> None:
    answer = client.post(V1, json={"inputs": X.tolist(), "passes": TEXT, "seed": 7}).json()
    require_same(answer | answer["outputs"], wanted)


@pytest.mark.parametrize("passes", [TEXT, json.dumps(RULE)])
def test_a_query_string_takes_a_rule(client: httpx.Client, wanted: Prediction, passes: str) -> None:
    query, headers = {"passes": passes, "seed": "7"}, {"Content-Type": RAW, "Accept": NPZ}
    answer = client.post(V1, params=query, content=X.tobytes(), headers=headers)
    found = np.load(io.BytesIO(answer.content))
    assert (found["row_passes"].dtype, found["row_settled"].dtype) == (np.int64, np.bool_)
    require_same(found, wanted)


@pytest.mark.parametrize("passes", [TEXT, RULE])
def test_v2_has_the_passes_of_each_row_as_tensors(
    client: httpx.Client, wanted: Prediction, passes: Any
) -> None:
    body = {"inputs": [tensor("pixels", X)], "parameters": {"passes": passes, "seed": 7}}
    answer = client.post(V2, json=body).json()
    assert answer["parameters"] == {"passes": wanted.passes, "seed": 7}
    found = {one["name"]: one for one in answer["outputs"]}
    assert [found[name]["datatype"] for name in ("row_passes", "row_settled")] == ["INT64", "BOOL"]
    require_same({k: np.reshape(one["data"], one["shape"]) for k, one in found.items()}, wanted)


def test_v2_gives_the_passes_of_each_row_on_request(
    client: httpx.Client, wanted: Prediction
) -> None:
    body = {"inputs": [tensor("pixels", X)], "outputs": [{"name": "row_passes"}]}
    for passes, rows in ((TEXT, wanted.row_passes), (30, np.full(len(X), 30))):
        asked = body | {"parameters": {"passes": passes, "seed": 7}}
        (found,) = client.post(V2, json=asked).json()["outputs"]
        np.testing.assert_array_equal(found["data"], rows)


@pytest.mark.parametrize("passes", [TEXT, RULE, AdaptivePasses.of_text(TEXT)])
def test_the_client_s_prediction_is_the_library_s(
    server: LocalServer, digits: Predictor, passes: Any
) -> None:
    wanted = digits.predict(X, passes, 7, measures=["predictive_entropy"])
    with Client(server.url) as client:
        found = client.predict("digits", X, passes, 7, measures=["predictive_entropy"])
        *estimates, last = client.stream("digits", X, passes, 7, measures=["predictive_entropy"])
    assert dict(found) == dict(wanted) == dict(last)
    assert found.stopped == wanted.stopped == last.stopped
    assert [one.passes for one in estimates] == [32, 64, 128][: len(estimates)]


@pytest.mark.parametrize("inner", [1, 3])
def test_passes_that_were_run_are_counted(client: httpx.Client, inner: int) -> None:
    def samples() -> float:
        lines = client.get("/metrics").text.splitlines()
        named = (line for line in lines if line.startswith("mcdropout_samples_total{"))
        return sum(float(line.rpartition(" ")[2]) for line in named if 'model="digits"' in line)

    before = samples()
    body = {"instances": X.tolist(), "passes": RULE, "seed": 7, "inner": inner}
    answer = client.post(V1, json=body).json()
    end = time.monotonic() + 10
    while samples() == before and time.monotonic() < end:
        time.sleep(0.01)  # it is counted after it was sent
    assert samples() - before == sum(answer["row_passes"]) * inner


@pytest.mark.slow
def test_the_memory_for_passes_does_not_change_an_answer() -> None:
    """By a server with little memory, rows run in several blocks."""
    rows = np.random.default_rng(5).uniform(0, 16, (1500, 64)).astype(np.float32)
    answers = []
    for mebibytes in ("16", "512"):
        with local_server(STORE, os.environ | {"MCDROPOUT_MEMORY": mebibytes}) as server:
            query, headers = {"passes": TEXT, "seed": "7"}, {"Content-Type": RAW, "Accept": NPZ}
            answer = httpx.post(
                server.url + V1, params=query, content=rows.tobytes(), headers=headers, timeout=60
            )
        answers.append(dict(np.load(io.BytesIO(answer.content))))
    for name, found in answers[0].items():
        np.testing.assert_array_equal(found, answers[1][name], name)
    assert len(set(answers[0]["row_passes"])) > 3
