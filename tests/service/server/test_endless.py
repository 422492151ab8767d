"""Models that do not terminate, at load time or for some values of a request."""

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from scripts.local_server import LocalServer, local_server
from service.errors import ModelError
from service.graph.artifact import read_artifact
from service.graph.plan import serialize
from service.repository.loading import limited
from service.runtime.engine import CPU, Engine, Stop
from service.serving.offload import INLINE
from tests.conftest import STORE
from tests.service.reference import save

pytestmark = pytest.mark.slow

#: A loop with as many iterations as the largest value of the rows, or a constant.
LOOP = (
    "m = ReduceMax<keepdims = 0>(x) own = Cast<to = 7>(m) n = {turns} "
    "z = Loop(n, on, x) <body = b (int64 i, bool c, float[batch, 1] s) => "
    "(bool k, float[batch, 1] t) {{ k = Identity(c) t = Neg(s) }}> y = Dropout(z, half, on)"
)
CONSTANTS = "float half = {0.5}, bool on = {1}, int64 most = {9223372036854775807}"
BODY = {"instances": [[1985.0]], "passes": 20, "seed": 7}


def loop(path: Path, turns: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = "float[batch, 1]"
    return save(LOOP.format(turns=turns), path, CONSTANTS, f"{shape} x", f"{shape} y")


def endless(path: Path) -> Path:
    return loop(path, "Identity(most)")


def by_value(path: Path) -> Path:
    return loop(path, "Identity(own)")


def until(true: Callable[[], object]) -> None:
    """Wait for what happens at last, on a slow machine late."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_run_is_stopped_from_another_thread(tmp_path: Path) -> None:
    engine = Engine(serialize(read_artifact(endless(tmp_path / "model.onnx")).model), [CPU])
    stop, feeds = Stop(), {"x": np.ones((1, 1), np.float32), "training": np.array(True)}
    threading.Timer(0.2, stop.set).start()
    started = time.monotonic()
    with pytest.raises(ModelError, match="terminate"):
        stop.over(engine.run, feeds)
    assert time.monotonic() - started < 5


def test_load_that_does_not_end_fails_with_a_reason(tmp_path: Path) -> None:
    from service import load_model

    path = endless(tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"was not loaded within 0\.5 s; its load was stopped"):
        limited(load_model, 0.5)(path)


def test_load_that_cannot_be_stopped_is_abandoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.repository.loading._LAST", 0.1)
    end = threading.Event()

    def load(path: Path) -> object:
        end.wait(20)
        return None

    try:
        with pytest.raises(ModelError, match="continues in a thread that cannot be stopped"):
            limited(load, 0.1)(tmp_path / "model.onnx")  # type: ignore[arg-type]
    finally:
        end.set()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server whose first model does not finish loading while any test runs."""
    store = tmp_path_factory.mktemp("store")
    shutil.copytree(STORE / "co2", store / "co2")
    endless(store / "a_loop" / "1" / "model.onnx")
    by_value(store / "by_value" / "1" / "model.onnx")
    env = os.environ | {
        "MCDROPOUT_LOAD_TIMEOUT": "3600",
        "MCDROPOUT_REPOSITORY_CONTROL": "true",
        "MCDROPOUT_TIMEOUT": "3",
    }
    with local_server(store, env, ready=False) as running:
        yield running


def test_other_models_load_and_answer_during_an_endless_load(server: LocalServer) -> None:
    """Many requests that wait for it stop neither large requests nor the load of another model."""
    with httpx.Client(base_url=server.url, timeout=30) as client, ThreadPoolExecutor(45) as pool:
        url = "/v2/repository/models/a_loop/load"
        waiting = [pool.submit(httpx.post, server.url + url, timeout=60) for _ in range(45)]
        until(lambda: client.get("/v1/models/co2").json()["state"] == "ready")
        assert client.get("/v1/models/a_loop").json()["state"] == "loading"
        unready = client.get("/health/ready").json()["error"]
        assert unready.startswith("the models are loading: ['a_loop'")
        # Read in a thread, and little work.
        large = json.dumps(BODY) + " " * INLINE
        assert client.post("/v1/models/co2:predict", content=large).status_code == 200
        answers = [one.result(60) for one in waiting]
        assert {answer.status_code for answer in answers} <= {503, 504}
        texts = {answer.json()["error"].partition("a_loop")[2] for answer in answers}
        assert any("is still being loaded" in text for text in texts)
        assert any("took longer than 3 s and continues" in text for text in texts)
        assert client.post("/v2/repository/models/co2/load").status_code == 200
        until(lambda: client.get("/v1/models/by_value").json()["state"] == "ready")
        assert client.get("/v1/models/a_loop").json()["state"] == "loading"


def test_server_tells_why_an_endless_load_failed(tmp_path: Path) -> None:
    endless(tmp_path / "a_loop" / "1" / "model.onnx")
    env = os.environ | {"MCDROPOUT_LOAD_TIMEOUT": "1"}
    with local_server(tmp_path, env, ready=False) as alone:
        url = f"{alone.url}/v1/models/a_loop"
        until(lambda: httpx.get(url).json()["state"] == "failed")
        assert "was not loaded within 1 s" in httpx.get(url).json()["reason"]
        until(lambda: any("version 1 failed" in line for line in alone.lines))


def test_endless_request_does_not_block_other_requests(server: LocalServer) -> None:
    """The number of iterations is a value of the row; the loop is terminated at the deadline."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        until(lambda: client.get("/v1/models/by_value").json()["state"] == "ready")
        url = "/v1/models/by_value:predict"
        for _ in range(5):
            assert client.post(url, json={"instances": [[3.0]], "passes": 20}).status_code == 200
        answer = client.post(url, json={"instances": [[1e18]], "passes": 20, "timeout": 0.5})
        assert answer.status_code == 504
        until(lambda: client.post("/v1/models/co2:predict", json=BODY).status_code == 200)
