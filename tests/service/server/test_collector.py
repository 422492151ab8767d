"""Requests and connections are freed when they end: none is part of a reference cycle."""

import gc
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.server.composition import build
from service.server.connections import TimedConnection, timed_protocol
from service.server.listening import listen
from service.server.settings import read_settings
from service.serving.context import Context
from tests.conftest import STORE

URL = "/v1/models/digits:predict"
BODY = {"instances": [[4.0] * 64], "passes": 20, "seed": 7}


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    """Address of a server in this process, with the connections of the real server process."""
    runtime = build(read_settings(models=STORE))
    listening = listen("127.0.0.1", 0)
    config = uvicorn.Config(runtime.app, loop="uvloop", http=timed_protocol(1.0), log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        host, port = listening.getsockname()[:2]
        _until_ready(f"http://{host}:{port}/health/ready")
        yield host, port
    finally:
        server.should_exit = True
        thread.join(30)


def _until_ready(url: str) -> None:
    for _ in range(1000):
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.01)
    pytest.fail("no model became ready within 10 s")


def sent(method: str = "POST", path: str = URL, content: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


VALID = sent(content=json.dumps(BODY).encode())
#: Bytes sent over a connection, and whether the client then closes or resets it.
CONVERSATIONS = {
    "answered": VALID,
    "dropout off": sent(content=json.dumps({**BODY, "passes": None, "training": False}).encode()),
    "refused": sent(content=b'{"instances": [[1]]}'),
    "no JSON": sent(content=b"{"),
    "unknown model": sent(path="/v1/models/x:predict", content=b"{}"),
    "not found": sent("GET", "/x"),
    "several": VALID * 3,
    "unfinished": VALID[:-5],
    "several, unfinished": (VALID * 3)[:-5],
    "no HTTP": b"x" * 100 + b"\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_connection_leaves_no_garbage(address: tuple[str, int], name: str, resets: bool) -> None:
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            _converse(address, CONVERSATIONS[name], resets)
        until = time.monotonic() + 2
        while (left := _alive()) and time.monotonic() < until:
            time.sleep(0.02)
    finally:
        gc.enable()
    assert not left


def _converse(address: tuple[str, int], content: bytes, resets: bool) -> None:
    with socket.create_connection(address, 10) as connection:
        connection.sendall(content)
        if resets:
            connection.settimeout(0.1)
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # closing sends a reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            connection.shutdown(socket.SHUT_WR)
        try:
            while connection.recv(1 << 16):
                pass
        except OSError:
            pass  # there was enough time for an answer


def _alive() -> Counter[str]:
    kinds = (Context, TimedConnection, RequestResponseCycle)
    return Counter(type(o).__name__ for o in gc.get_objects() if isinstance(o, kinds))
