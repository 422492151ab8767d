"""The time that HTTP adds to `predict`: one process calls both alternately."""

import json
import socket
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httptools
import numpy as np
from numpy.typing import NDArray

from service import load_model

PASSES = 100


class Connection:
    """A keep-alive connection with little overhead; httptools parses the answers."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser = httptools.HttpResponseParser(self)
        self._whole = False

    def on_message_complete(self) -> None:
        """Mark the answer as complete."""
        self._whole = True

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def ask(self, request: bytes) -> None:
        """Send a request and read its answer."""
        self._whole = False
        self._socket.sendall(request)
        while not self._whole:
            self._parser.feed_data(self._socket.recv(1 << 18))
        if self._parser.get_status_code() != 200:
            raise RuntimeError(f"the server answered {self._parser.get_status_code()}")


def overhead(model_file: Path, url: str, name: str, rounds: int) -> dict[str, dict[str, float]]:
    """Median milliseconds of the library and of the server for the same jobs.

    Args:
        model_file: the file that the server serves as `name`.
        url: of the server.
        rounds: number of calls of each.

    Returns:
        "<rows> rows" to the times "library", "json" and "binary" in ms, and their ratios.
    """
    model = load_model(model_file)
    address = urlsplit(url)
    connection = Connection(str(address.hostname), address.port or 80)
    found = {}
    for rows in (1, 32):
        x = np.random.default_rng(0).random((rows, *_row(model))).astype(np.float32)
        spec = model.manifest.inputs[0]
        ways: dict[str, Callable[[], Any]] = {
            "library": lambda x=x: model.predict(x, PASSES, 7),  # type: ignore[misc]
            "json": _asker(connection, f"/v1/models/{name}:predict", *_json(x)),
            "binary": _asker(connection, f"/v2/models/{name}/infer", *_binary(x, spec.name)),
        }
        times: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(rounds + 10):
            for way, call in ways.items():
                start = time.perf_counter()
                call()
                if number >= 10:
                    times[way].append(time.perf_counter() - start)
        medians = {way: statistics.median(each) * 1e3 for way, each in times.items()}
        ratios = {f"{w}/library": medians[w] / medians["library"] for w in ("json", "binary")}
        found[f"{rows} rows"] = {**medians, **ratios}
    connection.close()
    return found


def _row(model: Any) -> tuple[int, ...]:
    return tuple(size or 1 for size in model.manifest.inputs[0].shape[1:])


def _json(x: NDArray[np.float32]) -> tuple[bytes, dict[str, str]]:
    body = json.dumps({"instances": x.tolist(), "passes": PASSES, "seed": 7}).encode()
    return body, {"Content-Type": "application/json"}


def _binary(x: NDArray[np.float32], name: str) -> tuple[bytes, dict[str, str]]:
    head = {
        "inputs": [
            {
                "name": name,
                "shape": list(x.shape),
                "datatype": "FP32",
                "parameters": {"binary_data_size": x.nbytes},
            }
        ],
        "parameters": {"passes": PASSES, "seed": 7, "binary_data_output": True},
    }
    text = json.dumps(head).encode()
    return text + x.tobytes(), {"Inference-Header-Content-Length": str(len(text))}


def _asker(
    connection: Connection, path: str, body: bytes, headers: dict[str, str]
) -> Callable[[], None]:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    request = "\r\n".join([*lines, "", ""]).encode() + body
    return lambda: connection.ask(request)
