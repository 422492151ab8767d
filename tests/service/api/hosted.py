"""A server in a thread of this process, on a real socket, so that tests see its work."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from pydantic import SecretStr

from scripts.local_server import free_port
from service.server.composition import Runtime, build
from service.server.connections import timed_protocol
from service.server.settings import Settings
from tests.conftest import STORE
from tests.service.reference import save

SSE, NDJSON = "text/event-stream", "application/x-ndjson"
KEY = "a-key-for-streams"
URL = "/v1/models/digits:predict"
HALF = "float half = {0.5}, bool on = {1}"
#: How long its passes take is known only when they run: rows of another length, each time.
FREE = ("[drop] y = Dropout(x, half, on)", HALF, "float[batch, n] x", "float[batch, n] y")
WIDE = (
    "k = Dropout(x, half, on) y = Expand(k, size)",
    HALF + ", int64[2] size = {1, 100000}",
    "float[batch, 1] x",
    "float[batch, 100000] y",
)
#: The first pass that drops its only element divides by 0.
RARE = (
    "k = Dropout(x, rate, on) y = Reciprocal(k)",
    "float rate = {0.01}, bool on = {1}",
    "float[batch, 1] x",
    "float[batch, 1] y",
)


@dataclass
class Hosted:
    """The server, and a client that has its key."""

    runtime: Runtime
    client: httpx.Client

    def stream(self, body: Any, path: str = URL, accept: str = NDJSON) -> Any:
        return self.client.stream("POST", path, json=body, headers={"Accept": accept})

    def lines(self, body: Any, path: str = URL) -> list[dict[str, Any]]:
        with self.stream(body, path) as response:
            return [json.loads(line) for line in response.iter_lines()]

    def plain(self, path: str = URL, **body: Any) -> dict[str, Any]:
        response = self.client.post(path, json=body)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def raw(self, path: str, body: Any) -> socket.socket:
        """A connection with a request for lines."""
        url, content = self.client.base_url, json.dumps(body).encode()
        connection = socket.create_connection((url.host, url.port or 0), timeout=20)
        lines = [f"POST {path} HTTP/1.1", "Host: x", f"X-API-Key: {KEY}", f"Accept: {NDJSON}"]
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}", "", ""]
        connection.sendall("\r\n".join(lines).encode() + content)
        return connection

    def count(self, status: int) -> float:
        """Requests to models that ended with a status."""
        page = self.client.get("/metrics").text
        found = re.findall(rf'requests_total{{model="\w+",status="{status}".*}} (.+)', page)
        return sum(map(float, found))

    def require_idle(self) -> None:
        until(lambda: not len(self.runtime.scheduler))


def server_sent(text: str) -> list[tuple[str, Any]]:
    """Names and data of events."""
    assert text.endswith("\n\n")
    events = [event.split("\n") for event in text[:-2].split("\n\n")]
    assert all(
        first.startswith("event: ") and second.startswith("data: ") for first, second in events
    )
    return [(name[7:], json.loads(data[6:])) for name, data in events]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def hosting(store: Path) -> Iterator[Hosted]:
    """The demo model and some odd ones, in a folder of their own."""
    (store / "digits").symlink_to(STORE / "digits")
    for name, (body, constants, inputs, outputs) in {
        "free": FREE,
        "wide": WIDE,
        "rare": RARE,
    }.items():
        (store / name / "1").mkdir(parents=True)
        save(body, store / name / "1" / "model.onnx", constants, inputs, outputs)
    keys = SecretStr(f"predict:{KEY}")
    runtime = build(Settings(models=store, api_keys=keys, max_samples=1 << 40))
    port = free_port()
    config = uvicorn.Config(
        runtime.app, port=port, log_config=None, access_log=False, http=timed_protocol(30)
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": KEY}, timeout=60
        ) as client:
            until(lambda: server.started)
            until(lambda: client.get("/health/ready").status_code == 200)
            yield Hosted(runtime, client)
    finally:
        server.should_exit = True
        thread.join(30)
