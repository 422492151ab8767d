"""The memory and time for a body are proportional to its bytes, for any content."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest

from scripts.local_server import LocalServer, local_server
from tests.conftest import STORE

pytestmark = pytest.mark.slow

MIB = 1 << 20
URL = "/v1/models/co2:predict"
V2 = "/v2/models/co2/infer"
#: Maximum memory and time for reading a body: per byte, and in addition.
FACTOR, BESIDE = 24, 160 * MIB


@pytest.fixture(scope="module")
def own() -> Iterator[LocalServer]:
    with local_server(STORE, os.environ | {"MCDROPOUT_ACCESS_LOG": "false"}) as running:
        yield running


class Watch:
    """The peak memory of a process, and the longest time in which it did not answer."""

    def __init__(self, server: LocalServer) -> None:
        self._process = psutil.Process(server.process.pid)
        self._url = f"{server.url}/health/live"
        self._over = threading.Event()
        self.before = self.peak = self.memory()
        self.slowest = 0.0

    def memory(self) -> int:
        return int(self._process.memory_info().rss)

    def __enter__(self) -> "Watch":
        self._threads = [threading.Thread(target=f) for f in (self._measure, self._ask)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _measure(self) -> None:
        while not self._over.wait(0.005):
            self.peak = max(self.peak, self.memory())

    def _ask(self) -> None:
        with httpx.Client(timeout=60) as client:
            while not self._over.wait(0.02):
                start = time.monotonic()
                assert client.get(self._url).status_code == 200
                self.slowest = max(self.slowest, time.monotonic() - start)


BODIES: dict[str, tuple[str, Callable[[], bytes]]] = {
    # NumPy would give each of the empty strings the length of the long one
    "a long string among empty ones": (
        URL,
        lambda: json.dumps({"instances": [["a" * 26_000], *[""] * 26_000]}).encode(),
    ),
    "the same in rows": (
        URL,
        lambda: json.dumps({"instances": [["a" * 26_000], *[[""]] * 26_000]}).encode(),
    ),
    "empty lists": (URL, lambda: b'{"instances":[' + b"[]," * 10_000_000 + b"[]]}"),
    "objects": (URL, lambda: b'{"inputs":[' + b'{"":0},' * 4_000_000 + b"{}]}"),
    "lists of v2": (V2, lambda: b'{"inputs":[' + b"[]," * 10_000_000 + b"[]]}"),
    "small numbers": (URL, lambda: b'{"inputs":[[' + b"0," * 12_000_000 + b"0]]}"),
    "numbers": (URL, lambda: b'{"inputs":[[' + b"0.5," * 6_000_000 + b"0]]}"),
    "strings": (URL, lambda: b'{"inputs":[[' + b'"abcde",' * 3_000_000 + b"0]]}"),
    "a wide string": (URL, lambda: ('{"inputs":["' + "a" * 24_000_000 + '\U0001f600"]}').encode()),
    "wrong tensors": (V2, lambda: b'{"inputs":[' + b"[]," * 1_000_000 + b"0]}"),
    "wrong sizes": (V2, lambda: b'{"inputs":[{"shape":[' + b"-1," * 3_000_000 + b"0]}]}"),
    "wrong sites": (URL, lambda: b'{"sites":[' + b"1," * 3_000_000 + b"0]}"),
    "unknown fields": (
        URL,
        lambda: b"{" + b",".join(b'"%d":0' % n for n in range(700_000)) + b"}",
    ),
    "a wrong row at the end": (URL, lambda: b'{"instances":[' + b"[1]," * 499_000 + b"[]]}"),
    "a wrong row behind wide ones": (
        "/v1/models/digits:predict",
        lambda: b'{"instances":[' + (b"[" + b"0," * 63 + b"0],") * 150_000 + b"[]]}",
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_memory_and_time_are_proportional_to_the_bytes(own: LocalServer, name: str) -> None:
    path, make = BODIES[name]
    body = make()
    with Watch(own) as watch:
        start = time.monotonic()
        answer = httpx.post(own.url + path, content=body, timeout=120)
        seconds = time.monotonic() - start
    assert answer.status_code in (400, 413), answer.text
    assert len(answer.text) < 1000
    took = watch.peak - watch.before
    assert took < FACTOR * len(body) + BESIDE, f"{took / MIB:.0f} MiB, {took / len(body):.1f} ×"
    assert seconds < 10
    assert watch.slowest < 3


def test_refused_body_is_freed_at_once(own: LocalServer) -> None:
    """In a reference cycle it would stay, since few lists do not start the garbage collector."""
    body = b'{"inputs":[[' + b"0.5," * 1_000_000 + b'"x"]]}'
    watch = Watch(own)
    assert httpx.post(own.url + URL, content=body, timeout=60).status_code == 400
    once = watch.memory()
    for _ in range(4):
        assert httpx.post(own.url + URL, content=body, timeout=60).status_code == 400
    assert watch.memory() - once < 100 * MIB


def test_deadline_counts_from_the_arrival(own: LocalServer) -> None:
    """A body of 60 MB takes long to read and little to run."""
    rows = ",".join(["[1985." + "5" * 20_000 + "]"] * 3000)
    body = f'{{"instances":[{rows}],"passes":2,"timeout":0.1}}'.encode()
    answer = httpx.post(own.url + URL, content=body, timeout=60)
    assert answer.status_code == 504, answer.text
