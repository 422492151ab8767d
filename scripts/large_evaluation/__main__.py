"""Evaluate `digits` on many rows, and say where time and memory go.

python -m scripts.large_evaluation --rows 2000 --rows 20000 --figures docs/images
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from scripts.benchmark.machine import machine
from scripts.large_evaluation.figure import draw
from scripts.large_evaluation.one import ROOT, in_own_process


def show(cases: Sequence[dict[str, Any]], console: Console) -> None:
    """Print a row for each case."""
    columns = ("rows", "samples", "passes", "metrics", "bootstrap", "rest", "peak", "before")
    title = "seconds of each part; peak memory in MiB, and before: model and libraries"
    table = Table(*columns, title=title)
    for case in cases:
        seconds = [f"{value:.2f}" for value in case["seconds"].values()]
        sizes = (case["peak_bytes"], case["model_and_libraries_bytes"])
        memory = [f"{size / 2**20:.0f}" for size in sizes]
        table.add_row(f"{case['rows']:,}", f"{case['samples']:,}", *seconds, *memory)
    console.print(table)


def main(
    rows: Annotated[list[int] | None, typer.Option(min=10, help="2000 and 20000.")] = None,
    passes: Annotated[int, typer.Option(min=2, help="The most that are compared.")] = 1000,
    resamples: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 1000,
    results: Annotated[Path, typer.Option(help="Where the results are written.")] = (
        ROOT / "benchmarks" / "large_evaluation.json"
    ),
    figures: Annotated[
        Path | None, typer.Option(help="Folder to draw large-evaluation.png into.")
    ] = None,
) -> None:
    """Evaluate each number of rows in a process of its own."""
    cases = [in_own_process(count, passes, resamples) for count in rows or (2_000, 20_000)]
    show(cases, Console())
    results.write_text(json.dumps({"machine": machine(), "cases": cases}, indent=1) + "\n")
    if figures:
        draw(cases, figures / "large-evaluation.png")


if __name__ == "__main__":
    typer.run(main)
