"""The command line; see the package."""

import sys
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from scripts.hostile.run import Report, judge, make, own_server, run
from scripts.hostile.send import PATIENCE, send

app = typer.Typer(add_completion=False, help=__doc__)


@app.command()
def hostile(
    count: Annotated[int, typer.Option(help="Requests to send.", min=1)] = 10_000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same requests.")] = 1,
    clients: Annotated[int, typer.Option(help="That send at the same time.", min=1)] = 32,
    only: Annotated[int | None, typer.Option(help="Send the request of this number alone.")] = None,
) -> None:
    """Send malformed requests to a local server, and fail if they do any harm."""
    console = Console()
    with own_server() as server:
        if only is not None:
            _send_one(console, httpx.URL(server.url), seed, only)
            return
        with Progress(console=console) as progress:
            task = progress.add_task("sending", total=count)
            report = run(server, seed, count, clients, lambda: progress.advance(task))
    _print(console, report, seed)
    sys.exit(not report.passed)


def _send_one(console: Console, url: httpx.URL, seed: int, number: int) -> None:
    case = make(seed, number)
    console.print(case, markup=False)
    with httpx.Client(timeout=PATIENCE) as client:
        outcome = send(case, url, client)
    console.print(outcome, markup=False)
    sys.exit(judge(outcome) is not None)


def _print(console: Console, report: Report, seed: int) -> None:
    results = sorted({result for _, result in report.counts})
    table = Table("kind", *results, box=None, pad_edge=False)
    for kind in sorted({kind for kind, _ in report.counts}):
        table.add_row(kind, *(str(report.counts[kind, result] or "") for result in results))
    console.print(table)
    console.print(f"memory {report.before >> 20} MiB before, {report.after >> 20} MiB after")
    for number, what in report.failures[:20]:
        again = f"python -m scripts.hostile --seed {seed} --only {number}"
        console.print(f"FAILED {what}\n       {again}", markup=False)
    for what in report.wrong:
        console.print(f"FAILED the server: {what}", markup=False)
    if len(report.failures) > 20:
        console.print(f"and {len(report.failures) - 20} more failures")


if __name__ == "__main__":
    app()
