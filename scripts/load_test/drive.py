"""Start the clients in their own process, and read their results.

The process is separate because locust replaces Python's blocking calls in the whole process.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from scripts.load_test.windows import Window, from_json

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Order:
    """What the clients do.

    Attributes:
        url: of the server.
        loads: numbers of clients, one after the other.
        warm_up: seconds of each load whose times do not count.
        windows: number of windows of each load after the warm-up.
        seconds: length of a window.
        turned_away: statuses that are not failures.
    """

    url: str
    loads: tuple[int, ...]
    warm_up: float
    windows: int
    seconds: float
    turned_away: tuple[int, ...]


def send(order: Order) -> Iterator[Window]:
    """Run the clients; yields each window at its end.

    Raises:
        RuntimeError: they ended early; the error has the reason.
    """
    command = [sys.executable, "-m", "scripts.load_test.clients", json.dumps(asdict(order))]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=said, text=True, cwd=ROOT
        )
        try:
            for line in process.stdout or ():
                yield from_json(json.loads(line))
            if process.wait():
                said.seek(0)
                raise RuntimeError(f"the clients failed:\n{said.read()}")
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
