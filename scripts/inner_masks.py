"""What several masks of the last site in each pass gain, and whether their answers are right.

    python -m scripts.inner_masks --output benchmarks

In one run: how many independent passes are worth one stratified pass with some inner masks for the
mean, and the time of calls with about the same error, in turns; whether mean and variance are
unbiased, and the reported standard errors right. Writes inner_masks.json; takes four minutes on two
cores, or with --right fifteen. Needs the `export` and `demo` extras for dense and cnn.
"""

import json
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from scripts.benchmark.machine import origin
from scripts.stratified import FULL, MODELS, QUICK, Effort, in_turns, load, right, rows_of, worth
from service import Predictor
from service.core.strata import BLOCK
from service.inference.runner import Draws
from service.protocol.options import SAMPLINGS

#: Numbers of inner masks that are compared with one mask.
INNER = (2, 4, 8, 16)
#: Numbers whose answers are checked, of these models.
RIGHT, RIGHT_MODELS = (4, 8), ("digits", "co2")
ROWS = (32, 1)
#: Stratified passes of one mask, whose error the other calls shall have.
PASSES = 200
INDEPENDENT, STRATIFIED = Draws(7), Draws(7, sampling="stratified")


def settings() -> dict[str, Draws]:
    """What is compared, by name."""
    nested = {f"{n} masks": Draws(7, sampling="stratified", inner=n) for n in INNER}
    return {"independent": INDEPENDENT, "stratified": STRATIFIED, **nested}


def gains(model: Predictor, name: str, effort: Effort) -> list[dict[str, Any]]:
    """The worth of a pass in each setting, and the times for one error, as multiples of its own.

    The error is that of PASSES stratified passes of one mask. The calls have whole blocks of
    passes, and their times are scaled to the passes that the error takes.
    """
    x, compared = rows_of(model, name, max(ROWS)), settings()
    worths = {key: worth(model, x, effort.gain_passes, draws) for key, draws in compared.items()}
    worths["independent"] = 1.0
    needed = {key: PASSES * worths["stratified"] / one for key, one in worths.items()}
    found = []
    for rows in ROWS:
        run = {key: BLOCK * max(2, round(one / BLOCK)) for key, one in needed.items()}
        calls = {key: _call(model, x[:rows], run[key], draws) for key, draws in compared.items()}
        times = {
            k: statistics.median(taken) for k, taken in in_turns(calls, effort.seconds).items()
        }
        times = {key: time * needed[key] / run[key] for key, time in times.items()}
        for key, time in times.items():
            of = {f"gain_over_{other}": times[other] / time for other in list(compared)[:2]}
            figures = {"worth": worths[key], "passes": needed[key], "milliseconds": 1e3 * time}
            found.append({"rows": rows, "setting": key, **figures, **of})
    return found


def _call(model: Predictor, x: NDArray[np.float32], passes: int, draws: Draws) -> Callable[[], Any]:
    return lambda: model.predict(x, passes, 7, sampling=draws.sampling, inner=draws.inner)


def check(model: Predictor, name: str, effort: Effort) -> list[dict[str, Any]]:
    """Whether answers with inner masks are right, for each number of them and each sampling."""
    return [
        {"inner": n, "sampling": sampling}
        | right(model, rows_of(model, name, 2), effort, Draws(7, sampling=sampling, inner=n))
        for n in RIGHT
        for sampling in SAMPLINGS
    ]


def measure(name: str, effort: Effort, folder: Path, checks: bool = False) -> dict[str, Any]:
    """Everything about one model."""
    model = load(name, folder)
    suggested = model.planned.report.inner
    if suggested is None:
        return {"model": name, "suggested": None, "gains": [], "right": []}
    return {
        "model": name,
        "suggested": suggested.model_dump(),
        "gains": gains(model, name, effort),
        "right": check(model, name, effort) if checks and name in RIGHT_MODELS else [],
    }


def show(found: list[dict[str, Any]]) -> None:
    """Print the figures."""
    columns = "worth", "passes", "milliseconds", "gain_over_independent", "gain_over_stratified"
    table, console = Table("model", "rows", "setting", *columns), Console()
    for one in found:
        for at in one["gains"]:
            figures = (f"{at[column]:.2f}" for column in columns)
            table.add_row(one["model"], str(at["rows"]), at["setting"], *figures)
    console.print(table)
    for one in found:
        console.print(one["model"], one["suggested"])
        for at in one["right"]:
            rounded = {key: round(x, 3) if isinstance(x, float) else x for key, x in at.items()}
            console.print(one["model"], rounded)


def main(
    models: Annotated[str, typer.Option(help="with commas between")] = ",".join(MODELS),
    output: Annotated[Path | None, typer.Option(help="folder of inner_masks.json")] = None,
    checks: Annotated[bool, typer.Option("--right", help="check the answers, too")] = False,
    quick: bool = False,
) -> None:
    """Measure inner masks."""
    effort = QUICK if quick else replace(FULL, gain_passes=QUICK.gain_passes)
    with tempfile.TemporaryDirectory() as folder:
        found = [measure(name, effort, Path(folder), checks) for name in models.split(",")]
    show(found)
    if output is not None:
        text = json.dumps({**origin(), "models": found}, indent=1)
        (output / "inner_masks.json").write_text(text + "\n")


if __name__ == "__main__":
    typer.run(main)
