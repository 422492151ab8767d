"""Connections that send too little, too much or nonsense, or never read, end in time."""

import json
import math
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from scripts.local_server import LocalServer, local_server
from tests.conftest import STORE
from tests.service.reference import save
from tests.service.server.test_faults import read_all

pytestmark = pytest.mark.slow

MIB = 1 << 20
BODY = json.dumps({"instances": [[1985.0]], "passes": 2, "seed": 1}).encode()
SLOW = json.dumps({"instances": [[1985.0]] * 100, "passes": 1000, "timeout": 20}).encode()
PREDICT = "/v1/models/co2:predict"


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server with short timeouts, the demo model, and a model with 100,000 outputs."""
    store: Path = tmp_path_factory.mktemp("store")
    (store / "co2").symlink_to(STORE / "co2")
    (store / "wide" / "1").mkdir(parents=True)
    save(
        "k = Dropout(x, half, on) y = Expand(k, size)",
        store / "wide" / "1" / "model.onnx",
        "float half = {0.5}, bool on = {1}, int64[2] size = {1, 100000}",
        "float[batch, 1] x",
        "float[batch, 100000] y",
    )
    with local_server(store, os.environ | {"MCDROPOUT_READ_TIMEOUT": "1"}) as running:
        yield running


def connect(server: LocalServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", httpx.URL(server.url).port or 0), timeout=20)


def request(path: str, body: bytes, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answers(content: bytes) -> list[tuple[int, bytes]]:
    """Status and body of each answer in the bytes from a connection."""
    found = []
    while content:
        head, _, content = content.partition(b"\r\n\r\n")
        lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(lines[b"content-length"])
        found.append((int(head.split()[1]), content[:length]))
        content = content[length:]
    return found


def ask_on(connection: socket.socket) -> int:
    """Send a request on an open connection; returns the status of the complete answer."""
    connection.sendall(request(PREDICT, BODY))
    content = b""
    while b"\r\n\r\n" not in content or not answers(content)[0][1].endswith(b"}"):
        part = connection.recv(4096)
        if not part:
            raise ConnectionResetError
        content += part
    ((status, _),) = answers(content)
    return status


def test_clients_that_never_read_use_little_memory_for_a_short_time(brief: LocalServer) -> None:
    """Forty answers of 70 MB each."""
    body = json.dumps({"instances": [[1.0]] * 10, "passes": 2}).encode()
    process = psutil.Process(brief.process.pid)
    httpx.post(brief.url + "/v1/models/wide:predict", content=body, timeout=60)
    before = process.memory_info().rss
    deaf = [connect(brief) for _ in range(40)]
    for connection in deaf:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(request("/v1/models/wide:predict", body))
    peak = before
    for _ in range(30):
        time.sleep(0.1)
        peak = max(peak, process.memory_info().rss)
    assert peak - before < 600 * MIB
    # The connections are closed, and their memory is available to others.
    url, until = brief.url + "/v1/models/wide:predict", time.monotonic() + 60
    while httpx.post(url, content=body, timeout=60).status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.5)
    for connection in deaf:
        connection.close()


def test_slow_reader_gets_all_of_a_large_answer(brief: LocalServer) -> None:
    body = json.dumps({"instances": [[1.0]] * 2, "passes": 2}).encode()
    with connect(brief) as slow:
        slow.sendall(request("/v1/models/wide:predict", body, "Connection: close"))
        parts = []
        while part := slow.recv(200_000):
            parts.append(part)
            time.sleep(0.02)
    ((status, content),) = answers(b"".join(parts))
    assert status == 200
    assert len(json.loads(content)["predictions"][1]["variance"]) == 100_000


@pytest.mark.parametrize("sent", [b"\r\n", b"\n", b"\r\n" * 3])
def test_line_end_after_an_answer_keeps_no_connection_open(brief: LocalServer, sent: bytes) -> None:
    with connect(brief) as connection:
        assert ask_on(connection) == 200
        connection.sendall(sent)
        started = time.monotonic()
        assert read_all(connection) == b""
        assert time.monotonic() - started < 5


def test_line_end_before_a_request_is_ignored(brief: LocalServer) -> None:
    with connect(brief) as connection:
        connection.sendall(request(PREDICT, BODY) + b"\r\n")
        time.sleep(0.3)
        connection.sendall(b"\r\n")
        connection.sendall(request(PREDICT, BODY, "Connection: close"))
        assert [status for status, _ in answers(read_all(connection))] == [200, 200]


@pytest.mark.parametrize(
    "second", [b"POST /v1/mo", request(PREDICT, BODY)[:-5], b"\x16\x03 no HTTP\r\n"]
)
def test_answer_is_not_lost_because_of_later_bytes(brief: LocalServer, second: bytes) -> None:
    """The first request takes longer than the second may take to arrive."""
    with connect(brief) as connection:
        connection.sendall(request(PREDICT, SLOW) + second)
        statuses = [status for status, _ in answers(read_all(connection))]
    assert statuses[0] == 200
    assert statuses[1:] in ([], [408])


def test_body_that_continues_after_its_refusal_ends(brief: LocalServer) -> None:
    with connect(brief) as connection:
        connection.sendall(
            request(PREDICT, b"", "X: y").replace(b"Length: 0", b"Length: %d" % 10**12)
        )
        time.sleep(0.3)
        connection.sendall(b" " * 1000)
        ((status, _),) = answers(read_all(connection))
        assert status == 413


@pytest.mark.parametrize("cut", [1, 20, 40, 60, 80, 100, 120, 140, 160, 180])
@pytest.mark.parametrize("first", [b"", request(PREDICT, BODY)])
def test_upgrade_is_ignored_wherever_it_is_split(
    brief: LocalServer, cut: int, first: bytes
) -> None:
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAA")
    sent = first + request(PREDICT, BODY, *offer)
    last = request("/health/live", b"", "Connection: close", method="GET")
    with connect(brief) as connection:
        connection.sendall(sent[: len(first) + cut])
        time.sleep(0.02)
        connection.sendall(sent[len(first) + cut :] + last)
        found = answers(read_all(connection))
    assert [status for status, _ in found] == [200] * (2 + bool(first))
    assert json.loads(found[-2][1])["seed"] == 1


@pytest.mark.parametrize("upgrade", ["websocket", "h2c", "TLS/1.0", "\t"])
def test_other_upgrades_are_ignored(brief: LocalServer, upgrade: str) -> None:
    offer = ("Connection: close, Upgrade", f"Upgrade: {upgrade}")
    with connect(brief) as connection:
        connection.sendall(request(PREDICT, BODY, *offer))
        ((status, _),) = answers(read_all(connection))
    assert status == 200


@pytest.mark.parametrize("line", ["CONNECT a:443", "PRI *", "GET http://a:b/", "GET //[/", "get /"])
def test_malformed_requests_are_refused(brief: LocalServer, line: str) -> None:
    with connect(brief) as connection:
        connection.sendall(f"{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        ((status, _),) = answers(read_all(connection))
    assert status in (400, 404, 405)


def test_server_accepts_again_after_all_descriptors_were_used(brief: LocalServer) -> None:
    process = psutil.Process(brief.process.pid)
    limits = process.rlimit(psutil.RLIMIT_NOFILE)
    process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() + 60, limits[1]))
    try:
        for asks in (False, True):
            many = [connect(brief) for _ in range(80)]
            for connection in many:
                try:
                    assert not asks or ask_on(connection) == 200
                except OSError:
                    continue  # no descriptor was left
            time.sleep(3)
            assert httpx.get(f"{brief.url}/health/live", timeout=10).status_code == 200
            assert httpx.post(brief.url + PREDICT, content=BODY, timeout=10).status_code == 200
            for connection in many:
                connection.close()
    finally:
        process.rlimit(psutil.RLIMIT_NOFILE, limits)


def test_no_request_is_lost_when_the_server_ends(brief: LocalServer) -> None:
    """Connections are used at all intervals after the signal."""
    with local_server(STORE, os.environ) as server:
        kept = [connect(server) for _ in range(150)]
        assert {ask_on(connection) for connection in kept} == {200}
        server.process.terminate()
        started = time.monotonic()

        def ask(number: int) -> int | None:
            connection = kept[number]
            time.sleep(max(0.0, started + 0.3 + number * 0.004 - time.monotonic()))
            # A client notices a closed connection, and uses another one.
            looked = time.monotonic()
            took = math.inf
            connection.setblocking(False)
            try:
                if connection.recv(1) == b"":
                    return None
            except BlockingIOError:
                pass
            connection.settimeout(20)
            try:
                connection.sendall(request(PREDICT, BODY))
                took = time.monotonic() - looked
                ((status, _),) = answers(read_all(connection))
            except ConnectionError:
                # On a busy machine the server may close it between the look and the request.
                if took > 0.001:
                    return None
                raise
            return status

        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(ask, range(len(kept))))
        for connection in kept:
            connection.close()
        assert set(found) == {200, None}
        assert server.process.wait(20) == 0
