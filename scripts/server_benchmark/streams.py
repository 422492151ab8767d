"""What a stream costs, and how soon its first estimate comes; writes benchmarks/streams.json.

    python -m scripts.server_benchmark.streams [--rounds 30]

Plain and streamed requests to one server, in turn, of the demo models.
"""

import json
import os
import statistics
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from scripts.benchmark.machine import machine
from scripts.local_server import local_server
from scripts.server_benchmark.overhead import Connection

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "benchmarks" / "streams.json"
#: Model, rows and passes of the requests that are compared with streams of the same.
REQUESTS = [
    *(("digits", 1, passes) for passes in (100, 1_000, 10_000, 100_000)),
    *(("digits", 32, passes) for passes in (100, 1_000, 10_000)),
    ("digits", 1_000, 100),
    ("co2", 1, 100_000),
]
#: Passes of the first estimate, and of the stream that it belongs to.
FIRST, LONG = 32, 100_000
#: Seconds after which an abandoned stream has ended.
_REST = 0.2


class Asker:
    """Sends requests over a kept connection and notes how long they take."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._address = str(address.hostname), address.port or 80
        self._connection = Listener(*self._address)

    def whole(self, request: bytes) -> float:
        """Seconds until the end of an answer."""
        start = time.perf_counter()
        self._connection.ask(request)
        return time.perf_counter() - start

    def first(self, request: bytes) -> float:
        """Seconds until the first event of a stream, which is then abandoned."""
        start = time.perf_counter()
        self._connection.begin(request)
        took = time.perf_counter() - start
        self._connection.close()
        time.sleep(_REST)
        self._connection = Listener(*self._address)
        return took


class Listener(Connection):
    """A connection that also tells when the first bytes of a body come."""

    _begun = False

    def on_body(self, body: bytes) -> None:
        """A part of a body is there."""
        self._begun = True

    def begin(self, request: bytes) -> None:
        """Send a request, and read until its body begins."""
        self._begun = False
        self._socket.sendall(request)
        while not self._begun:
            self._parser.feed_data(self._socket.recv(1 << 18))


def request(model: str, rows: int, passes: int, stream: bool = False) -> bytes:
    """A request with a random row or more."""
    rng = np.random.default_rng(0)
    x = rng.uniform(1960, 2010, (rows, 1)) if model == "co2" else rng.uniform(0, 16, (rows, 64))
    # Without the calibration of `digits`: both models shall answer with mean and variance alone.
    options = {"passes": passes, "seed": 7, "calibrated": False}
    body = json.dumps({"instances": x.round(3).tolist(), **options}).encode()
    lines = [f"POST /v1/models/{model}:predict HTTP/1.1", "Host: localhost"]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += ["Accept: application/x-ndjson"] if stream else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def costs(asker: Asker, rounds: int) -> list[dict[str, Any]]:
    """Median milliseconds of plain and streamed requests, and the median of their ratio."""
    found = []
    for model, rows, passes in track(REQUESTS, "whole answers", console=Console(stderr=True)):
        kinds = {
            kind: request(model, rows, passes, stream=kind == "stream")
            for kind in ("plain", "stream")
        }
        times: dict[str, list[float]] = {kind: [] for kind in kinds}
        for number in range(rounds + 2):
            for kind in sorted(kinds, reverse=bool(number % 2)):
                took = asker.whole(kinds[kind])
                if number >= 2:
                    times[kind].append(took)
        ratios = [s / p for s, p in zip(times["stream"], times["plain"], strict=True)]
        found.append(
            {
                **{"model": model, "rows": rows, "passes": passes},
                **{kind: statistics.median(each) * 1e3 for kind, each in times.items()},
                "ratio": statistics.median(ratios),
            }
        )
    return found


def first_estimates(asker: Asker, rounds: int) -> list[dict[str, Any]]:
    """Median milliseconds of a request of 32 passes, and until the first event of a long stream."""
    found = []
    for model, rows in (("digits", 1), ("digits", 8), ("co2", 1)):
        short, long = request(model, rows, FIRST), request(model, rows, LONG, stream=True)
        pairs = [(asker.whole(short), asker.first(long)) for _ in range(rounds + 2)][2:]
        plain, first = (statistics.median(each) * 1e3 for each in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        found.append({"model": model, "rows": rows, "plain": plain, "first": first, "ratio": ratio})
    return found


def table(title: str, found: list[dict[str, Any]]) -> Table:
    """One line for each result."""
    shown = Table(*found[0], title=title)
    for one in found:
        shown.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in one.values()))
    return shown


def main(
    rounds: Annotated[int, typer.Option(help="How often each request is sent.")] = 30,
) -> None:
    """Measure, print, and write benchmarks/streams.json."""
    env = os.environ | {"MCDROPOUT_ACCESS_LOG": "false"}
    with local_server(ROOT / "models" / "store", env) as server:
        asker = Asker(server.url)
        for number in range(20):  # until the speed is known
            asker.whole(request(("digits", "co2")[number % 2], 8, 100))
        first, whole = first_estimates(asker, rounds), costs(asker, rounds)
    results = {"machine": machine(), "first estimate": first, "whole answer": whole}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    console = Console()
    console.print(table(f"first estimate of {LONG} passes, against {FIRST} passes (ms)", first))
    console.print(table("streamed and plain answers (ms)", whole))


if __name__ == "__main__":
    typer.run(main)
