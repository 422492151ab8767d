"""A load test of several mixes of model, rows and passes. It is a locustfile and a command.

    python -m scripts.load_test                 starts a server, tests it, stops it
    locust -f scripts/load_test.py --host URL   locust's own page and options

The command prints requests/s, p50, p95, p99 and failures for each mix, and ends
with exit code 1 if a request failed.
"""

import csv
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from locust import HttpUser, task
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


def run_locust(url: str, users: int, seconds: int) -> list[dict[str, str]]:
    """Run locust headless for a bounded time; returns the rows of its statistics."""
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder) / "run"
        command = [sys.executable, "-m", "locust", "-f", __file__, "--host", url, "--headless"]
        command += ["--users", str(users), "--spawn-rate", str(users), "--only-summary"]
        command += ["--run-time", f"{seconds}s", "--csv", str(prefix), "--exit-code-on-error", "0"]
        ended = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, timeout=seconds + 120
        )
        if ended.returncode:
            raise RuntimeError(f"locust failed:\n{ended.stderr}")
        with Path(f"{prefix}_stats.csv").open() as file:
            return list(csv.DictReader(file))


def report(rows: list[dict[str, str]], title: str) -> Table:
    """A table of locust's statistics, times in ms."""
    table = Table("mix", "requests", "requests/s", "p50", "p95", "p99", "failures", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        cells = (row["Request Count"], f"{float(row['Requests/s']):.1f}")
        times = (row["50%"], row["95%"], row["99%"])
        table.add_row(row["Name"], *cells, *times, row["Failure Count"])
    return table


def main(
    url: Annotated[str | None, typer.Option(help="A running server; by default its own.")] = None,
    users: Annotated[int, typer.Option(min=1, help="Clients that send at the same time.")] = 4,
    seconds: Annotated[int, typer.Option(min=1, max=3600, help="How long to send.")] = 15,
) -> None:
    """Load a server with the demo models' real data and print how it held."""
    if url:
        rows = run_locust(url, users, seconds)
    else:
        with local_server(ROOT / "models" / "store") as server:
            rows = run_locust(server.url, users, seconds)
    Console().print(report(rows, f"{users} clients for {seconds} s, times in ms"))
    total = rows[-1]  # locust's "Aggregated"
    if int(total["Failure Count"]) or not int(total["Request Count"]):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
