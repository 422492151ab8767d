"""A load test of several mixes of model, rows and passes. It is a locustfile and a command.

    python -m scripts.load_test                 starts a server, tests it, stops it
    locust -f scripts/load_test.py --host URL   locust's own page and options

The command prints requests/s, p50, p95, p99 and failures for each mix, and ends
with exit code 1 if a request failed.
"""

import json
import math
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import gevent
import numpy as np
import typer
from locust import HttpUser, events, task
from rich.console import Console
from rich.table import Table

from models.zoo.data import co2_series, digits_splits
from scripts.local_server import local_server

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Mix:
    """One kind of request, and how often it is sent against the others."""

    model: str
    rows: int
    passes: int
    weight: int

    @property
    def name(self) -> str:
        return f"{self.model}, {self.rows} rows, {self.passes} passes"


MIXES = (
    Mix("digits", 1, 100, 10),
    Mix("digits", 32, 100, 4),
    Mix("digits", 1, 1000, 2),
    Mix("co2", 1, 100, 10),
    Mix("co2", 64, 50, 2),
)


@dataclass(frozen=True)
class Entry:
    """Statistics of one mix.

    Attributes:
        name: of the mix.
        failures: requests that were not answered rightly.
        times: response time in ms to number of requests.
    """

    name: str
    failures: int
    times: dict[float, int]

    @property
    def requests(self) -> int:
        return sum(self.times.values())

    def quantile(self, q: float) -> float:
        """The response time in ms that a share `q` of the requests kept within."""
        if not self.times:
            return math.nan
        every = np.repeat(list(self.times), list(self.times.values()))
        return float(np.quantile(every, q, method="inverted_cdf"))


ROWS: dict[str, list[list[float]]] = {
    "digits": digits_splits()[1].x.tolist(),
    "co2": co2_series().year.tolist(),
}


def _sender(mix: Mix) -> Callable[[Any], None]:
    def send(user: Any) -> None:
        rows = random.choices(ROWS[mix.model], k=mix.rows)
        body = {"instances": rows, "passes": mix.passes}
        path = f"/v1/models/{mix.model}:predict"
        with user.client.post(path, json=body, name=mix.name, catch_response=True) as response:
            if response.status_code != 200:
                response.failure(f"{response.status_code}: {response.text[:200]}")
            elif len(response.json()["predictions"]) != mix.rows:
                response.failure("a different number of predictions than of rows")

    return send


class Client(HttpUser):  # type: ignore[misc]  # locust ships no types
    """Sends requests without a pause, each mix as often as its weight says."""

    tasks = {task(_sender(mix)): mix.weight for mix in MIXES}  # noqa: RUF012


def _add_option(parser: Any) -> None:
    parser.add_argument("--send-seconds", type=float, help="stop this long after all clients began")


def _stop_in_time(environment: Any, **_: Any) -> None:
    """locust's own --run-time counts the start of the clients, long on a busy machine."""
    seconds = environment.parsed_options.send_seconds
    if seconds:
        environment.events.spawning_complete.add_listener(
            lambda user_count: gevent.spawn_later(seconds, environment.runner.quit)
        )


events.init_command_line_parser.add_listener(_add_option)
events.init.add_listener(_stop_in_time)


def run_locust(url: str, users: int, seconds: int) -> list[Entry]:
    """Run locust headless for a bounded time; returns its statistics by mix, and of all."""
    command = [sys.executable, "-m", "locust", "-f", __file__, "--host", url, "--headless"]
    command += ["--users", str(users), "--spawn-rate", str(users), "--send-seconds", str(seconds)]
    command += ["--json", "--exit-code-on-error", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=seconds + 120)
    if ended.returncode:
        raise RuntimeError(f"locust failed:\n{ended.stderr}")
    entries = [
        Entry(
            name=row["name"],
            failures=row["num_failures"],
            times={float(ms): count for ms, count in row["response_times"].items()},
        )
        for row in json.loads(ended.stdout)
    ]
    together = Entry("all", sum(e.failures for e in entries), {})
    for entry in entries:
        for ms, count in entry.times.items():
            together.times[ms] = together.times.get(ms, 0) + count
    return [*sorted(entries, key=lambda entry: entry.name), together]


def report(entries: list[Entry], users: int, seconds: int) -> Table:
    """A table of locust's statistics."""
    title = f"{users} clients for {seconds} s, times in ms"
    table = Table("mix", "requests", "requests/s", "p50", "p95", "p99", "failures", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for entry in entries:
        times = (f"{entry.quantile(q):.0f}" for q in (0.5, 0.95, 0.99))
        rate = f"{entry.requests / seconds:.1f}"
        table.add_row(entry.name, str(entry.requests), rate, *times, str(entry.failures))
    return table


def main(
    url: Annotated[str | None, typer.Option(help="A running server; by default its own.")] = None,
    users: Annotated[int, typer.Option(min=1, help="Clients that send at the same time.")] = 4,
    seconds: Annotated[int, typer.Option(min=1, max=3600, help="How long to send.")] = 15,
) -> None:
    """Load a server with the demo models' real data and print how it held."""
    if url:
        entries = run_locust(url, users, seconds)
    else:
        with local_server(ROOT / "models" / "store") as server:
            entries = run_locust(server.url, users, seconds)
    Console().print(report(entries, users, seconds))
    if entries[-1].failures or not entries[-1].requests:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
