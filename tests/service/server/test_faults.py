"""Failures around a server, a real process on a real socket, which has to continue."""

import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import onnx
import pytest

from scripts.local_server import LocalServer, local_server
from tests.conftest import STORE
from tests.service.reference import save

pytestmark = pytest.mark.slow

URL = "/v1/models/digits:predict"
BODY = {"instances": [[4.0] * 64], "passes": 50, "seed": 7}
LONG = {"instances": [[4.0] * 64] * 4, "passes": 200_000}
FEWER = {**LONG, "passes": 4_000}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    shutil.copytree(STORE, tmp_path / "store")
    return tmp_path / "store"


def truncate(file: Path) -> None:
    with file.open("r+b") as content:
        content.truncate(1000)


def replace_with_noise(file: Path) -> None:
    file.write_bytes(os.urandom(50_000))


def replace_with_another(file: Path) -> None:
    """Without the calibration, with which another file would not be loaded."""
    file.with_name("calibration.json").unlink()
    shutil.copy(STORE / "co2" / "1" / "model.onnx", file.with_name("new"))
    file.with_name("new").rename(file)


def delete(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("harm", [truncate, replace_with_noise, delete])
def test_damaged_file_does_not_affect_the_loaded_model(
    store: Path, harm: Callable[[Path], None]
) -> None:
    """With and without polling; the state reports the damage."""
    env = os.environ | {"MCDROPOUT_POLL_SECONDS": "0.1"}
    with local_server(store, env) as server, httpx.Client(base_url=server.url) as client:
        wanted = client.post(URL, json=BODY).json()
        harm(store / "digits" / "1" / "model.onnx")
        deadline = time.monotonic() + 20
        while not (reason := client.get("/v1/models/digits").json()["reason"]):
            assert client.post(URL, json=BODY).json() == wanted
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "model.onnx" in reason
        assert client.post(URL, json=BODY).json() == wanted
        assert client.get("/health/ready").status_code == 200


def test_replaced_file_serves_after_verification(store: Path) -> None:
    env = os.environ | {"MCDROPOUT_POLL_SECONDS": "0.1"}
    with local_server(store, env) as server, httpx.Client(base_url=server.url) as client:
        assert client.post(URL, json=BODY).status_code == 200
        replace_with_another(store / "digits" / "1" / "model.onnx")
        deadline = time.monotonic() + 20
        while client.get("/v1/models/digits").json()["task"] != "regression":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        body = {"instances": [[1985.0]], "passes": 50, "seed": 7, "calibrated": False}
        answers = [client.post(f"/v1/models/{m}:predict", json=body) for m in ("digits", "co2")]
        assert answers[0].json()["predictions"] == answers[1].json()["predictions"]


def test_models_are_loaded_and_unloaded_during_requests(store: Path) -> None:
    """A new version takes over, an invalid one does not, and no request fails."""
    env = os.environ | {"MCDROPOUT_REPOSITORY_CONTROL": "true"}
    statuses, stop = set[int](), threading.Event()
    with local_server(store, env) as server, httpx.Client(base_url=server.url) as client:

        def ask() -> None:
            with httpx.Client(base_url=server.url) as mine:
                while not stop.is_set():
                    statuses.add(mine.post(URL, json=BODY).status_code)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        load = "/v2/repository/models/digits/load"
        shutil.copytree(store / "digits" / "1", store / "digits" / "2")
        assert client.post(load).status_code == 200
        assert client.post(URL, json=BODY).json()["version"] == "2"
        (store / "digits" / "3").mkdir()
        (store / "digits" / "3" / "model.onnx").write_bytes(b"no model")
        refused = client.post(load)
        assert refused.status_code == 400
        assert "version 3 (failed): " in refused.json()["error"]
        assert client.post(URL, json=BODY).json()["version"] == "2"
        stop.set()
        for thread in threads:
            thread.join(30)
        assert statuses == {200}
        index = client.post("/v2/repository/index").json()
        assert {(e["version"], e["state"]) for e in index if e["name"] == "digits"} == {
            ("1", "UNAVAILABLE"),
            ("2", "READY"),
            ("3", "UNAVAILABLE"),
        }
        assert client.post("/v2/repository/models/digits/unload").status_code == 200
        gone = client.post(URL, json=BODY)
        assert gone.status_code == 503
        assert "POST /v2/repository/models/digits/load loads it" in gone.json()["error"]
        assert client.post("/v2/repository/models/../../etc/load").status_code == 404


def test_disconnected_client_stops_its_passes() -> None:
    with local_server(STORE) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        content = json.dumps(LONG).encode()
        with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as left:
            head = f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n"
            left.sendall(head.encode() + content)
            _wait_until(lambda: in_flight(client) == 1)
        started = time.monotonic()
        _wait_until(lambda: in_flight(client) == 0)
        assert time.monotonic() - started < 2  # of about ten seconds


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    content = b""
    while chunk := connection.recv(4096):
        content += chunk
    return content


def in_flight(client: httpx.Client) -> float:
    (line,) = [
        line
        for line in client.get("/metrics").text.splitlines()
        if line.startswith("mcdropout_requests_in_flight ")
    ]
    return float(line.split()[1])


def _wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_slow_and_idle_connections_are_closed_and_block_nobody() -> None:
    env = os.environ | {"MCDROPOUT_READ_TIMEOUT": "1"}
    with local_server(STORE, env) as server, httpx.Client(base_url=server.url) as client:
        address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        head = f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n".encode()
        beginnings = [b"", b"POST /v1/mo", head[:-2], head, head + b'{"inst'] * 40
        slow = [socket.create_connection(address, timeout=10) for _ in beginnings]
        try:
            for connection, begun in zip(slow, beginnings, strict=True):
                connection.sendall(begun)
            started = time.monotonic()
            for _ in range(20):
                assert client.post(URL, json=BODY).status_code == 200
            assert time.monotonic() - started < 2
            for connection in slow:
                answer = read_all(connection)
                assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
                error = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
                assert (
                    error
                    == "the request did not arrive within 1 s. Send it faster, or send less data."
                )
            assert time.monotonic() - started < 6
        finally:
            for connection in slow:
                connection.close()


@pytest.fixture(scope="module")
def narrow() -> Iterator[LocalServer]:
    """A server with small limits."""
    env = os.environ | {
        "MCDROPOUT_MAX_QUEUE": "3",
        "MCDROPOUT_MAX_BODY_MB": "1",
        "MCDROPOUT_MAX_ROWS": "10",
        "MCDROPOUT_TIMEOUT": "2",
    }
    with local_server(STORE, env) as server:
        yield server


def test_full_queue_gives_a_retry_time(narrow: LocalServer) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = list(
            pool.map(lambda _: httpx.post(narrow.url + URL, json=FEWER, timeout=60), range(12))
        )
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 429}
    refused = [answer for answer in answers if answer.status_code == 429]
    text = "3 requests are in flight, the maximum of this server."
    assert any(text in answer.text for answer in refused)
    for answer in refused:
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert httpx.post(narrow.url + URL, json=BODY).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({**LONG, "timeout": 0.2}, 504, " s, so it was not started."),
        ({**BODY, "timeout": 3}, 400, "timeout is 3 s; it must be more than 0 and at most 2, this"),
        ({**BODY, "timeout": 0}, 400, "timeout is 0 s; it must be more than 0"),
        ({**BODY, "timeout": "x"}, 400, "timeout is the string 'x': Input should be a valid num"),
        ({"instances": [[4.0] * 64] * 11}, 400, "there are 11 rows; this server allows at most 10"),
    ],
)
def test_limits_are_explained(narrow: LocalServer, body: object, status: int, message: str) -> None:
    answer = httpx.post(narrow.url + URL, json=body, timeout=60)
    assert answer.status_code == status
    assert message in answer.json()["error"]


@pytest.mark.parametrize("path", [URL, "/v2/models/digits/infer", "/v2/repository/index"])
@pytest.mark.parametrize("told", [True, False])
def test_too_large_body_is_not_read(narrow: LocalServer, path: str, told: bool) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(3000):
            yield b"0" * 1000

    content = b"0" * 1_100_000 if told else parts()
    answer = httpx.post(narrow.url + path, content=content)
    assert answer.status_code == 413
    assert "the body is too large; this server allows at most 1048576 bytes." in answer.text


def test_bytes_that_are_not_http_are_refused(narrow: LocalServer) -> None:
    address = ("127.0.0.1", int(narrow.url.rpartition(":")[2]))
    for noise in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"\r\n" * 9 + b"{}",
    ):
        with socket.create_connection(address, timeout=10) as connection:
            connection.sendall(noise)
            answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 400 Bad Request")
        assert b'{"error": "this is not HTTP' in answer
    assert httpx.get(f"{narrow.url}/health/live").status_code == 200


def test_model_that_exceeds_the_memory_is_refused_and_others_serve(store: Path) -> None:
    """A row of it would take 4 TiB."""
    path = store / "huge" / "1" / "model.onnx"
    path.parent.mkdir(parents=True)
    save(
        "wide = Expand(x, size) k = Dropout(wide, ratio, on) y = ReduceMax(k, axis)",
        path,
        "int64[2] size = {1, 1099511627776}, float ratio = {0.5}, bool on = {1}, "
        "int64[1] axis = {1}",
        "float[batch, 1] x",
        "float[batch, 1] y",
    )
    onnx.checker.check_model(onnx.load(path))
    with local_server(store) as server, httpx.Client(base_url=server.url) as client:
        huge = client.get("/v1/models/huge").json()
        assert huge["state"] == "failed"
        assert "MiB of memory to be loaded" in huge["reason"]
        assert client.post(URL, json=BODY).status_code == 200
        answer = client.post("/v1/models/huge:predict", json={"instances": [[1.0]]})
        assert answer.status_code == 503


def test_bodies_of_all_requests_have_a_common_limit() -> None:
    """Slow bodies use up the limit; when they end, others are accepted again."""
    env = os.environ | {"MCDROPOUT_MAX_PENDING_MB": "2", "MCDROPOUT_READ_TIMEOUT": "3"}
    with local_server(STORE, env) as server:
        address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        head = f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Length: 1500000\r\n\r\n".encode()
        with socket.create_connection(address) as slow:
            slow.sendall(head + b" " * 1_400_000)
            time.sleep(0.5)
            refused = httpx.post(server.url + URL, content=b" " * 900_000)
            assert refused.status_code == 429
            assert "bytes, and this server allows at most 2097152. Retry later" in refused.text
            assert httpx.post(server.url + URL, json=BODY).status_code == 200
        _wait_until(lambda: httpx.post(server.url + URL, content=b" " * 900_000).status_code == 400)
