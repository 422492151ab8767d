"""The claims of SECURITY.md about requests, tested on a server with keys."""

import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scripts.local_server import LocalServer, local_server
from tests.conftest import STORE

ASK, LOAD = "ask-" + "a" * 20, "load-" + "b" * 20
PREDICT = "/v1/models/co2:predict"
CONTROL = "/v2/repository/models/co2/load"
#: A row that would be recognizable in a log.
BODY = {"instances": [[1987.654321]], "passes": 2}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server with keys in a variable and in a file, and short timeouts."""
    file: Path = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(f"# operations\ncontrol:{LOAD}\n")
    env = {
        "MCDROPOUT_API_KEYS": f"predict:{ASK}",
        "MCDROPOUT_API_KEYS_FILE": str(file),
        "MCDROPOUT_READ_TIMEOUT": "1",
        "MCDROPOUT_LOG_FORMAT": "json",
    }
    with local_server(STORE, os.environ | env) as running:
        yield running


@pytest.fixture(scope="module")
def http(guarded: LocalServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=guarded.url, timeout=60) as client:
        yield client


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/health/live", "/v2/health/ready"]
)
def test_documents_and_health_need_no_key(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code in (200, 307)


@pytest.mark.parametrize("path", ["/metrics", "/v1/models", "/v2", "/v2/models/co2/ready", "/none"])
@pytest.mark.parametrize("key", [None, "", ASK[:-1], ASK + "a", "ü"])
def test_everything_else_needs_a_known_key(http: httpx.Client, path: str, key: str | None) -> None:
    headers = [] if key is None else [(b"X-API-Key", key.encode())]
    answer = http.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("key", "path", "status"),
    [
        (ASK, PREDICT, 200),
        (LOAD, PREDICT, 403),
        (ASK, CONTROL, 403),
        (LOAD, CONTROL, 403),  # the setting does not allow it
        (ASK, "/v2/repository/index", 200),
    ],
)
@pytest.mark.parametrize("form", ["Authorization", "X-API-Key"])
def test_rights(http: httpx.Client, key: str, path: str, status: int, form: str) -> None:
    value = f"Bearer {key}" if form == "Authorization" else key
    body = BODY if path == PREDICT else {}
    answer = http.post(path, json=body, headers={form: value})
    assert answer.status_code == status, answer.text
    if (key, path) == (LOAD, CONTROL):
        assert "MCDROPOUT_REPOSITORY_CONTROL" in answer.text


def test_incomplete_request_is_ended(guarded: LocalServer) -> None:
    with socket.create_connection(("127.0.0.1", httpx.URL(guarded.url).port or 0), 10) as slow:
        slow.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n")
        found = b"".join(iter(lambda: slow.recv(4096), b""))
    assert found.startswith(b"HTTP/1.1 408 ")


def test_no_origin_is_allowed(http: httpx.Client) -> None:
    answer = http.get("/health/live", headers={"Origin": "https://a.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("sent", ["two words", "a\tb", "a" * 129, '"', ""])
def test_request_id_that_could_harm_the_log_is_replaced(http: httpx.Client, sent: str) -> None:
    answer = http.get("/health/live", headers={"X-Request-ID": sent})
    assert re.fullmatch("[0-9a-f]{12}-[0-9a-f]+", answer.headers["X-Request-ID"])


def test_logs_contain_no_keys_rows_or_queries(guarded: LocalServer, http: httpx.Client) -> None:
    headers = {"Authorization": f"Bearer {ASK}", "X-Request-ID": "mine-1"}
    http.post(PREDICT, json=BODY, params={"key": LOAD}, headers=headers)
    http.post(PREDICT, json={"instances": [["1987.654321"]]}, headers=headers)
    http.get("/nowhere", headers={**headers, "X-Request-ID": "the-last"})
    deadline = time.monotonic() + 10
    while not any("the-last" in line for line in guarded.lines) and time.monotonic() < deadline:
        time.sleep(0.05)  # access log lines are written a little later
    text = "".join(guarded.lines)
    assert "mine-1" in text
    for secret in (ASK, LOAD, "1987.654321"):
        assert secret not in text
