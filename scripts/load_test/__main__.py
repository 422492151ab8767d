"""The command line; see the package."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from scripts.load_test import soak as soaking
from scripts.load_test import sweep as sweeping
from scripts.load_test.drive import ROOT
from scripts.load_test.verdict import BAND
from scripts.local_server import LocalServer, local_server

STORE = ROOT / "models" / "store"


class _SweepByDefault(TyperGroup):
    """Without a command, options are those of `sweep`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the command if it was left out."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["sweep", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_SweepByDefault, add_completion=False, help="Load tests; by default `sweep`.")

TurnedAway = Annotated[
    str, typer.Option(help="Statuses that are counted apart from failures, with commas between.")
]


def _numbers(text: str, option: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise typer.BadParameter(f"{option} is {text!r}; it takes numbers like 1,2,4.") from None


@contextmanager
def _own_server() -> Iterator[LocalServer]:
    """A local server without an access log, which this process would have to keep."""
    with local_server(STORE, os.environ | {"MCDROPOUT_ACCESS_LOG": "false"}) as server:
        yield server


@app.command()
def sweep(
    url: Annotated[
        str | None, typer.Option(help="A server with the demo models; by default its own.")
    ] = None,
    loads: Annotated[str, typer.Option(help="Clients that send at the same time.")] = (
        "1,2,4,8,16,32"
    ),
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="Of each load.")] = 10.0,
    turned_away: TurnedAway = "429,503,504",
    figures: Annotated[
        Path | None, typer.Option(help="Folder to draw load.png into; the results are kept then.")
    ] = None,
    results: Annotated[Path, typer.Option(help="What the results are written to.")] = (
        ROOT / "benchmarks" / "load.json"
    ),
) -> None:
    """Load a server with increasing numbers of clients, and print the results."""
    clients, statuses = _numbers(loads, "--loads"), _numbers(turned_away, "--turned-away")
    if not clients or min(clients) < 1:
        raise typer.BadParameter(f"--loads is {loads!r}; it takes numbers above 0 like 1,2,4.")
    if url:
        windows = sweeping.sweep(url.rstrip("/"), clients, seconds, statuses)
    else:
        with _own_server() as server:
            windows = sweeping.sweep(server.url, clients, seconds, statuses)
    sweeping.show(windows, Console())
    if figures:
        sweeping.keep(windows, results, figures / "load.png")
    if not sweeping.passed(windows):
        raise typer.Exit(1)


@app.command()
def soak(
    minutes: Annotated[float, typer.Option(min=0.1, max=1440, help="How long to send.")] = 10.0,
    clients: Annotated[int, typer.Option(min=1, help="Clients that send at the same time.")] = 32,
    band: Annotated[
        float, typer.Option(min=0, help="Share by which memory may change after warm-up.")
    ] = BAND,
    turned_away: TurnedAway = "429,503,504",
    figures: Annotated[Path | None, typer.Option(help="Folder to draw soak.png into.")] = None,
) -> None:
    """Keep a server busy for a long time, and check that its memory and its answers are stable."""
    statuses = _numbers(turned_away, "--turned-away")
    with _own_server() as server:
        samples = soaking.soak(server, minutes * 60, clients, statuses)
    bars = soaking.judge(samples, band)
    soaking.show(samples, bars, Console())
    if figures:
        from scripts.load_test.figures import draw_soak  # slow to import

        draw_soak(samples, figures / "soak.png")
    if not all(bar.kept for bar in bars):
        raise typer.Exit(1)


if __name__ == "__main__":
    try:
        app()
    except RuntimeError as error:
        sys.exit(f"load test: {error}")
