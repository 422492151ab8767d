"""How streamed answers end: in errors, early, slowly, and with what they leave behind."""

import json
import os
import re
import signal
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import Any

import httpx
import numpy as np
import pytest

from scripts.local_server import local_server
from service import Predictor
from tests.conftest import STORE
from tests.service.api.hosted import NDJSON, SSE, URL, Hosted, server_sent, until

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).uniform(0, 16, (3, 64)).astype(np.float32)
ASKED = {"instances": X.tolist(), "passes": 200, "seed": 7}


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        (URL, {**ASKED, "passes": 1}, {}, 400),
        (URL, {**ASKED, "instances": [[1.0]]}, {}, 400),
        (URL, {**ASKED, "measures": ["nope"]}, {}, 400),
        (URL, {**ASKED, "timeout": 1e-9}, {}, 504),
        ("/v1/models/nope:predict", ASKED, {}, 404),
        (URL, ASKED, {"X-API-Key": "wrong"}, 401),
    ],
)
def test_an_error_before_the_first_event_is_a_plain_answer(
    hosted: Hosted, path: str, body: Any, headers: Mapping[str, str], status: int
) -> None:
    response = hosted.client.post(path, json=body, headers={"Accept": SSE, **headers})
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert list(response.json()) == ["error"]


def test_a_client_that_leaves_stops_the_work(hosted: Hosted) -> None:
    before = hosted.count(499)
    with hosted.stream({"instances": X.tolist(), "passes": 1_000_000, "timeout": 60}) as response:
        assert json.loads(next(response.iter_lines()))["passes"] == 32
    hosted.require_idle()
    until(lambda: hosted.count(499) == before + 1)


def test_a_deadline_in_the_middle_is_the_last_event(hosted: Hosted) -> None:
    before = hosted.count(504)
    body = {"instances": [[0.0] * 20_000], "passes": 500_000, "timeout": 0.5}
    *lines, last = hosted.lines(body, "/v1/models/free:predict")
    assert lines
    assert not any(line["final"] for line in lines)
    assert last["status"] == 504
    assert last["error"].startswith(
        "the answer was not ready within 0.5 s, and the work was stopped"
    )
    hosted.require_idle()
    assert hosted.count(504) == before + 1


def test_an_error_of_the_model_in_the_middle_is_the_last_event(hosted: Hosted) -> None:
    body = {"instances": [[1.0]], "passes": 100_000, "seed": 3}
    with hosted.stream(body, "/v1/models/rare:predict", accept=SSE) as response:
        *events, (name, last) = server_sent(response.read().decode())
    assert events
    assert {name for name, _ in events} == {"estimate"}
    assert (name, last["status"]) == ("error", 422)
    assert "has NaN or infinity in output 'y'" in last["error"]


def test_an_internal_error_in_the_middle_is_hidden(
    hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Predictor.prediction

    def fail(self: Predictor, job: Any, found: Any = None) -> Any:
        if found is None:
            raise RuntimeError("secret")
        return original(self, job, found)

    monkeypatch.setattr(Predictor, "prediction", fail)
    before = hosted.count(500)
    *_, last = hosted.lines(ASKED)
    assert last["status"] == 500
    assert re.fullmatch(r"internal error .+; the server's log has the details\.", last["error"])
    assert hosted.count(500) == before + 1


def test_a_slow_reader_skips_what_is_outdated(hosted: Hosted) -> None:
    path, body = "/v1/models/wide:predict", {"instances": [[1.0]], "passes": 1500, "seed": 7}
    with hosted.raw(path, body) as connection:
        until(lambda: bool(len(hosted.runtime.scheduler)))
        hosted.require_idle()
        response = HTTPResponse(connection)
        response.begin()
        lines = list(map(json.loads, response.read().splitlines()))
    passes = [line["passes"] for line in lines]
    assert passes == sorted({*passes})
    assert len(passes) < 7  # there are 7 on the grid
    assert lines[-1]["final"]
    wanted = hosted.plain(path, **body)["predictions"][0]
    np.testing.assert_allclose(lines[-1]["predictions"][0]["mean"], wanted["mean"], rtol=1e-6)


def test_memory_is_freed_at_the_end(hosted: Hosted) -> None:
    hosted.lines(ASKED)
    until(lambda: hosted.runtime.plane.memory._held == 0)


def test_metrics_count_a_stream_once(hosted: Hosted) -> None:
    def passes() -> float:
        page = hosted.client.get("/metrics").text
        (found,) = re.findall(r'passes_total{model="digits",version="1"} (.+)', page)
        return float(found)

    hosted.plain(**ASKED)
    before, requests = passes(), hosted.count(200)
    hosted.lines(ASKED)
    assert passes() - before == 200
    assert hosted.count(200) == requests + 1


def test_shutdown_ends_a_stream_with_an_error() -> None:
    env = os.environ | {"MCDROPOUT_GRACE": "1"}
    body = {"instances": X.tolist(), "passes": 300_000, "seed": 7}
    with (
        local_server(STORE, env) as server,
        httpx.stream(
            "POST", server.url + URL, json=body, headers={"Accept": NDJSON}, timeout=60
        ) as response,
    ):
        lines = response.iter_lines()
        assert json.loads(next(lines))["passes"] == 32
        server.process.send_signal(signal.SIGTERM)
        *_, last = map(json.loads, lines)
    assert last["status"] == 503
    assert last["error"].startswith("the server shut down before the answer was ready")
