"""Start and shutdown of the process, with real signals."""

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.local_server import LocalServer, local_server
from tests.conftest import STORE

pytestmark = pytest.mark.slow

URL = "/v1/models/digits:predict"
#: A line of the log as text.
LOGGED = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]+ +\S"
SHORT = {"instances": [[4.0] * 64], "passes": 100, "seed": 7}
LONG = {"instances": [[4.0] * 64] * 4, "passes": 100_000, "seed": 7}


class Asking:
    """Clients that send requests until the connection is closed."""

    def __init__(self, server: LocalServer, count: int) -> None:
        self.statuses: list[int] = []
        self.lost: list[str] = []
        self._server = server
        self.threads = [threading.Thread(target=self._ask) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _ask(self) -> None:
        with httpx.Client(base_url=self._server.url, timeout=60) as client:
            while len(self.statuses) < 100_000:
                try:
                    response = client.post(URL, json=SHORT)
                except httpx.ConnectError:
                    return  # nobody listens anymore: the request was never accepted
                except httpx.TransportError as error:
                    self.lost.append(repr(error))
                    return
                self.statuses.append(response.status_code)
                if response.headers.get("connection") == "close":
                    return

    def join(self) -> None:
        for thread in self.threads:
            thread.join(60)


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def in_background(client: httpx.Client, body: Any) -> tuple[threading.Thread, list[Any]]:
    """A request, and its answer when it comes; returns when the server works on it."""
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.append(client.post(URL, json=body))
        except httpx.TransportError as error:
            answers.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    metrics = client.base_url.join("/metrics")
    until(lambda: "\nmcdropout_requests_in_flight 1.0\n" in httpx.get(metrics).text)
    return thread, answers


def test_live_at_once_and_ready_when_all_models_are_verified(tmp_path: Path) -> None:
    with local_server(STORE, ready=False) as server, httpx.Client(base_url=server.url) as client:
        assert client.get("/health/live").status_code == 200
        statuses = []
        while (response := client.get("/health/ready")).status_code != 200:
            assert response.json()["error"].startswith("the models are loading")
            statuses.append(response.status_code)
            time.sleep(0.002)
        assert set(statuses) <= {503}
        models = client.get("/v1/models").json()["models"]
        assert {version["state"] for model in models for version in model["versions"]} == {"ready"}


def test_sigterm_under_load_loses_no_request() -> None:
    with local_server(STORE) as server:
        asking = Asking(server, 8)
        until(lambda: len(asking.statuses) > 50)
        server.process.send_signal(signal.SIGTERM)
        asking.join()
        assert server.process.wait(20) == 0
    assert set(asking.statuses) == {200}
    assert asking.lost == []


def test_sigterm_lets_a_long_request_finish() -> None:
    # How long the request takes depends on the machine, and the grace time has to be longer.
    env, long = os.environ | {"MCDROPOUT_GRACE": "60"}, {**LONG, "passes": 30_000}
    with (
        local_server(STORE, env) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        wanted = client.post(URL, json=long).json()
        thread, answers = in_background(client, long)
        server.process.send_signal(signal.SIGTERM)
        thread.join(60)
        assert server.process.wait(20) == 0
    assert answers[0].json() == wanted


def test_waiting_requests_are_answered_after_the_grace_time(tmp_path: Path) -> None:
    env = os.environ | {"MCDROPOUT_GRACE": "0.5"}
    with local_server(STORE, env) as server, httpx.Client(base_url=server.url) as client:
        client.timeout = httpx.Timeout(60)
        thread, answers = in_background(client, {**LONG, "passes": 250_000})
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        thread.join(60)
        assert server.process.wait(20) == 0
        assert time.monotonic() - started < 5
    assert answers[0].status_code == 503
    assert answers[0].json() == {
        "error": "the server shut down before the answer was ready. Send the request again."
    }


def test_a_second_sigterm_ends_at_once() -> None:
    with local_server(STORE) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        thread, answers = in_background(client, LONG)
        server.process.send_signal(signal.SIGTERM)
        until(lambda: any("graceful shutdown" in line for line in server.lines))
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(5) == 128 + signal.SIGTERM
        assert time.monotonic() - started < 1
        thread.join(10)
        assert isinstance(answers[0], httpx.TransportError)


def test_a_killed_server_serves_again_on_its_port() -> None:
    with local_server(STORE) as server:
        port = int(server.url.rpartition(":")[2])
        with httpx.Client(base_url=server.url, timeout=60) as client:
            wanted = client.post(URL, json=SHORT).json()
            in_background(client, LONG)
            server.process.kill()
            server.process.wait(10)
    with local_server(STORE, port=port) as server:
        assert server.url.endswith(f":{port}")
        assert httpx.post(f"{server.url}{URL}", json=SHORT).json() == wanted


def test_full_disk_loses_log_lines_and_no_answers() -> None:
    """/dev/full fails every write like a full disk."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with Path("/dev/full").open("w") as full, local_server(STORE, port=port, output=full) as server:
        answers = [httpx.post(f"{server.url}{URL}", json=SHORT) for _ in range(20)]
        assert {answer.status_code for answer in answers} == {200}
        assert httpx.get(f"{server.url}/health/ready").status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0


def test_logs_are_json_with_the_request_id() -> None:
    env = os.environ | {"MCDROPOUT_LOG_FORMAT": "json"}
    with local_server(STORE, env) as server:
        headers = {"X-Request-ID": "mine-42"}
        response = httpx.post(f"{server.url}{URL}", json=SHORT, headers=headers)
        assert response.headers["X-Request-ID"] == "mine-42"
        other = httpx.get(f"{server.url}/a%0Ab", headers={"X-Request-ID": "no good\tid"})
        assert other.headers["X-Request-ID"] not in ("", "no good\tid")
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20)
    lines = [json.loads(line) for line in server.lines if line.startswith("{")]
    (mine,) = [line for line in lines if line.get("request_id") == "mine-42"]
    assert mine["status"] == 200
    assert (mine["model"], mine["version"], mine["rows"], mine["passes"]) == ("digits", "1", 1, 100)
    assert mine["milliseconds"] >= mine["compute_milliseconds"] > 0
    assert [line["path"] for line in lines if line.get("status") == 400] == ["/a%0Ab"]
    assert {"time", "level", "logger", "message"} <= set(mine)
    assert {line["logger"] for line in lines} == {"mcdropout", "mcdropout.access"}
    assert any(line["message"] == f"Serving {STORE} at {server.url}" for line in lines)


@pytest.mark.parametrize("access", ["true", "false"])
def test_access_log_can_be_disabled(access: str) -> None:
    with local_server(STORE, os.environ | {"MCDROPOUT_ACCESS_LOG": access}) as server:
        httpx.post(f"{server.url}{URL}", json=SHORT)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20)
    assert any(URL in line and " 200 " in line for line in server.lines) == (access == "true")
    logged = [line for line in server.lines if re.match(LOGGED, line)]
    # Each model is mentioned once, and nothing by Uvicorn.
    ready = [line for line in logged if " is ready" in line]
    assert [line.split()[4] for line in ready] == ["co2", "digits"]
    assert not any("startup" in line or "server process" in line for line in server.lines)
