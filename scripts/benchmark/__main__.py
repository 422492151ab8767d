"""Time every implementation of Monte Carlo dropout's moments, and write the results.

    python -m scripts.benchmark --output benchmarks --figures docs/images

It writes results.json and results.png. A full run takes about fifteen minutes on two cores.
Needs the `export` and `demo` extras.
"""

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scripts.benchmark.figures import draw
from scripts.benchmark.networks import NETWORKS
from scripts.benchmark.run import Report, run
from scripts.benchmark.tables import (
    bar_table,
    default_options_table,
    memory_table,
    ratio_table,
    skipped_table,
)
from scripts.benchmark.timing import FULL, QUICK, Case

FULL_CASES = [Case(count, passes) for passes in (10, 100, 1000) for count in (1, 8, 32)]
QUICK_CASES = [Case(count, passes) for passes in (100, 1000) for count in (1, 32)]


def read_networks(text: str | None, quick: bool) -> list[str]:
    """Names separated by commas; by default all networks, or two with `quick`."""
    if text is None:
        return ["dense", "cnn"] if quick else list(NETWORKS)
    names = text.split(",")
    if unknown := sorted(set(names) - set(NETWORKS)):
        raise typer.BadParameter(f"there is no network {unknown}; there are {list(NETWORKS)}.")
    return names


def read_cases(text: str | None, quick: bool) -> list[Case]:
    """Rows×passes separated by commas, such as 1x100,32x100."""
    if text is None:
        return QUICK_CASES if quick else FULL_CASES
    try:
        cases = [Case(*map(int, part.split("x"))) for part in text.split(",")]
    except (TypeError, ValueError):
        raise typer.BadParameter(f"{text!r} is not like 1x100,32x100.") from None
    if any(case.rows < 1 or case.passes < 2 for case in cases):
        raise typer.BadParameter("a case has at least 1 row and 2 passes.")
    return cases


def show(report: Report) -> None:
    """Print every table that has a row."""
    tables = (
        ratio_table(report.cases),
        skipped_table(report.cases),
        default_options_table(report.default_options),
        memory_table(report.memory),
        bar_table(report.verdicts()),
    )
    console = Console()
    for table in tables:
        if table.row_count:
            console.print(table)


def main(
    output: Annotated[
        Path, typer.Option(help="Folder to write results.json and results.png into.")
    ] = Path("benchmarks"),
    figures: Annotated[
        Path | None, typer.Option(help="Folder to write the picture into too, as benchmark.png.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer networks, cases and rounds: a few minutes.")
    ] = False,
    networks: Annotated[
        str | None, typer.Option(help=f"With commas between, of {', '.join(NETWORKS)}.")
    ] = None,
    cases: Annotated[
        str | None, typer.Option(help="Rows×passes, with commas between: 1x100,32x100.")
    ] = None,
) -> None:
    """Compare the ways to mean and variance, against each other and against a floor."""
    names, sizes = read_networks(networks, quick), read_cases(cases, quick)
    effort = QUICK if quick else FULL
    output.mkdir(parents=True, exist_ok=True)
    report = run(names, sizes, effort)
    text = json.dumps(report.as_json(effort), indent=1, ensure_ascii=False)
    (output / "results.json").write_text(text + "\n")
    picture = draw(report.cases, output / "results.png")
    if picture and figures:
        figures.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, figures / "benchmark.png")
    show(report)


if __name__ == "__main__":
    typer.run(main)
