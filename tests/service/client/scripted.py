"""A small HTTP server on a real socket that follows a script, request by request."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

import numpy as np

from tests.service.api.protocol import DATATYPES, HEADER, Array


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(status: int, text: str, **headers: str) -> Answer:
    """An error in the server's form."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps({"error": text}).encode(), named)


def inferred(seed: int = 7, **arrays: Array) -> Answer:
    """An answer to an inference request; names have __ instead of a dot."""
    outputs = [
        {
            "name": name.replace("__", "."),
            "shape": array.shape,
            "datatype": DATATYPES[array.dtype.name],
            "parameters": {"binary_data_size": array.nbytes},
        }
        for name, array in arrays.items()
    ]
    head = {
        **{"model_name": "m", "model_version": "3", "outputs": outputs},
        "parameters": {"passes": 100, "seed": seed},
    }
    text = json.dumps(head).encode()
    body = b"".join([text, *(array.tobytes() for array in arrays.values())])
    return Answer(200, body, {HEADER: str(len(text))})


#: How a request is answered.
Deed: TypeAlias = "Answer | Callable[[Handler], None]"
GOOD = inferred(mean=np.ones((1, 2)), variance=np.zeros((1, 2)))


def signature(inputs: Mapping[str, tuple[str, list[int]]], outputs: list[str]) -> Answer:
    """Metadata of a model: input name to datatype and shape, and names of outputs."""
    tensors = {
        name: {"dtype": dtype, "tensor_shape": {"dim": [{"size": str(n)} for n in shape]}}
        for name, (dtype, shape) in inputs.items()
    }
    serving: dict[str, Any] = {"inputs": tensors, "outputs": {name: {} for name in outputs}}
    body = {"metadata": {"signature_def": {"signature_def": {"serving_default": serving}}}}
    return Answer(200, json.dumps(body).encode())


#: Of the model "m".
ONE_INPUT = signature({"x": ("DT_FLOAT", [-1, 2])}, ["y"])
ROW = [[1.0, 2.0]]


@dataclass(frozen=True)
class Seen:
    """A request that was received."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def head(self) -> Any:
        """The JSON of its body."""
        return json.loads(self.body[: int(self.headers.get(HEADER, len(self.body)))])


def close(handler: "Handler") -> None:
    """Close the connection without an answer."""


def garbage(handler: "Handler") -> None:
    """Answer with something that is not HTTP."""
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


def cut(handler: "Handler") -> None:
    """Close the connection in the middle of the answer."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")


def hang(handler: "Handler") -> None:
    """Never answer."""
    handler.server.ended.wait(20)


def drip(handler: "Handler") -> None:
    """Answer very slowly."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(200):
        if handler.server.ended.wait(0.02):
            return
        handler.wfile.write(b" ")


class Scripted(ThreadingHTTPServer):
    """Answers metadata requests from `metadata`, and others from `script` and then with GOOD."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.script: list[Deed] = []
        self.metadata = [ONE_INPUT]  # the last one is repeated
        self.seen: list[Seen] = []
        self.times: list[float] = []
        self.ended = threading.Event()

    @property
    def asked(self) -> list[Seen]:
        """The requests received, except those for metadata."""
        return [seen for seen in self.seen if not seen.path.endswith("/metadata")]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect."""


class Handler(BaseHTTPRequestHandler):
    """Handler of one connection."""

    server: Scripted
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def log_message(self, *args: object) -> None:
        pass

    def _handle(self) -> None:
        server = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server.times.append(time.monotonic())
        server.seen.append(Seen(self.command, self.path, dict(self.headers), body))
        if self.path.endswith("/metadata"):
            found = server.metadata
            self._send(found.pop(0) if len(found) > 1 else found[0])
            return
        step = server.script.pop(0) if server.script else GOOD
        if isinstance(step, Answer):
            self._send(step)
            return
        step(self)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)


@contextmanager
def scripted(*script: Deed) -> Iterator[Scripted]:
    """Run a server during the block."""
    with Scripted() as server:
        server.script.extend(script)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join(5)
