"""Send many malformed requests to a server, and judge the outcomes."""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import psutil

from scripts.hostile import addresses, arrays, framing, values
from scripts.hostile.cases import Case, Maker
from scripts.hostile.send import CLOSED, HANG, PATIENCE, Outcome, send
from scripts.load_test.drive import ROOT
from scripts.local_server import LocalServer, local_server

#: Generators of cases, and their frequency per thousand.
MAKERS: list[tuple[Maker, int]] = [
    (values.damaged_json, 330),
    (values.bulky, 2),
    (arrays.damaged_array, 110),
    (arrays.binary_tensor, 80),
    (addresses.odd_address, 110),
    (addresses.odd_headers, 60),
    (framing.odd_line, 60),
    (framing.odd_length, 60),
    (framing.odd_chunks, 60),
    (framing.pipeline, 40),
    (framing.pieces, 50),
    (framing.noise, 38),
]
#: The only allowed 5xx: a request whose work exceeds its deadline.
ALLOWED = {"504"}
#: Kinds that are valid HTTP, and therefore must be answered.
_ANSWERED = {"damaged JSON", "bulky JSON", "damaged array", "binary tensor", "odd address"}
#: Maximum ratio of the memory afterwards, and seconds to wait for the release of memory.
GROWTH, WAIT = 1.10, 30.0
_ASKED = {"instances": [[1985.0], [2010.0]], "passes": 50, "seed": 7}


@dataclass
class Report:
    """The results.

    Attributes:
        counts: (kind, result) to its frequency.
        failures: description and number of each failed case.
        before, after: memory of the server in bytes.
        wrong: problems of the server as a whole.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)
    before: int = 0
    after: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether there were no failures and no problems."""
        return not self.failures and not self.wrong


def make(seed: int, number: int) -> Case:
    """The case of a number; each has its own random numbers."""
    rng = random.Random(f"{seed}/{number}")
    (maker,) = rng.choices([m for m, _ in MAKERS], [weight for _, weight in MAKERS])
    return maker(rng)


@contextmanager
def own_server() -> Iterator[LocalServer]:
    """A server with the demo models and short timeouts, so that slow cases end soon."""
    env = {"MCDROPOUT_READ_TIMEOUT": "1", "MCDROPOUT_TIMEOUT": "5", "MCDROPOUT_ACCESS_LOG": "false"}
    with local_server(ROOT / "models" / "store", os.environ | env) as server:
        yield server


def run(
    server: LocalServer, seed: int, count: int, clients: int, progress: Callable[[], object]
) -> Report:
    """Send `count` cases from several clients.

    The memory before is measured after the first twentieth of the cases, at least 500: a server
    allocates some memory at its first requests of a kind, and keeps it.
    """
    report = Report()
    url = httpx.URL(server.url)
    wanted = _predict(server)
    first = min(count, max(500, count // 20))
    with ThreadPoolExecutor(clients) as pool:
        _send_all(pool, url, seed, range(first), report, progress)
        report.before = _least_memory(server, 0)
        _send_all(pool, url, seed, range(first, count), report, progress)
    report.after = _least_memory(server, int(report.before * GROWTH))
    if report.after > report.before * GROWTH:
        report.wrong.append(f"memory grew from {report.before >> 20} to {report.after >> 20} MiB")
    try:
        if httpx.get(f"{server.url}/health/live", timeout=PATIENCE).status_code != 200:
            report.wrong.append("it is not live")
        if _predict(server) != wanted:
            report.wrong.append("it does not answer as before")
    except httpx.HTTPError as error:
        report.wrong.append(f"it does not answer: {error!r}")
    return report


def judge(outcome: Outcome) -> str | None:
    """The reason for which an outcome is a failure, or None."""
    for result in outcome.results:
        if result == HANG:
            return f"no answer within {PATIENCE:g} s"
        if result.startswith("5") and result not in ALLOWED:
            return f"status {result}"
        if result == CLOSED and outcome.kind in _ANSWERED:
            return "no answer"
    return None


def _send_all(
    pool: ThreadPoolExecutor,
    url: httpx.URL,
    seed: int,
    numbers: range,
    report: Report,
    progress: Callable[[], object],
) -> None:
    mine, lock, made = threading.local(), threading.Lock(), list[httpx.Client]()

    def one(number: int) -> None:
        if not hasattr(mine, "client"):
            mine.client = httpx.Client(timeout=PATIENCE)
            made.append(mine.client)
        case = make(seed, number)
        outcome = send(case, url, mine.client)
        if judge(outcome) == "no answer":
            # The connection may have been closed after the previous answer.
            with httpx.Client(timeout=PATIENCE) as fresh:
                outcome = send(case, url, fresh)
        wrong = judge(outcome)
        with lock:
            report.counts.update((outcome.kind, result) for result in outcome.results)
            if wrong:
                report.failures.append((number, f"{outcome.kind}: {wrong}: {outcome.text}"))
        progress()

    list(pool.map(one, numbers))
    for client in made:
        client.close()


def _predict(server: LocalServer) -> object:
    url = f"{server.url}/v1/models/co2:predict"
    return httpx.post(url, json=_ASKED, timeout=PATIENCE).raise_for_status().json()


def _least_memory(server: LocalServer, enough: int) -> int:
    """Minimum memory of the server in bytes, within `WAIT` seconds or until it is `enough`.

    The first measurement waits for all memory that can be released. Otherwise the comparison
    would allow the server to keep as much more at the end.
    """
    process, until = psutil.Process(server.process.pid), time.monotonic() + WAIT
    least = int(process.memory_info().rss)
    while least > enough and time.monotonic() < until:
        time.sleep(0.25)
        least = min(least, int(process.memory_info().rss))
    return least
