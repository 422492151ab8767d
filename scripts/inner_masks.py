"""What several masks of the last site in each pass gain.

    python -m scripts.inner_masks --output benchmarks

For each model and J: how many independent passes are worth one stratified pass with J inner masks
for the mean, and the time of calls that reach the same error of the mean, in turns in one run.
Writes inner_masks.json; takes about four minutes on two cores. Needs the `export` and `demo` extras
for dense and cnn.
"""

import json
import statistics
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from scripts.benchmark.machine import machine
from scripts.stratified import MODELS, in_turns, load, rows_of
from service import Predictor
from service.core.moments import Sums
from service.core.strata import BLOCK
from service.inference.runner import Draws

#: Numbers of inner masks that are compared; the first is the reference.
INNER = (1, 2, 4, 8, 16)
ROWS = 32
#: Passes of one mask, to whose error the others are compared; so many that all take whole blocks.
PASSES = 400
#: Passes whose samples are held at a time.
_AT_A_TIME = 5 * BLOCK


def worth(model: Predictor, x: NDArray[np.float32], passes: int, inner: int) -> float:
    """Independent passes of one mask that are worth a stratified pass of `inner` masks.

    Geometric mean over rows. Of each row, the sums over outputs of the variance and of the
    variance of the mean times P.
    """
    rows, draws = {model.manifest.inputs[0].name: x}, Draws(7, sampling="stratified", inner=inner)
    name, sums = model.manifest.outputs[0].name, None
    for first in range(0, passes, _AT_A_TIME):
        samples = model.sampler.sample(rows, _AT_A_TIME, draws, first=first)[name]
        sums = (sums or Sums.start(samples, BLOCK, inner)).add(samples)
    if sums is None:
        raise ValueError("no passes")
    found = sums.moments()
    axes = tuple(range(1, found.mean.ndim))
    by_row = found.variance.sum(axis=axes) / (found.standard_error**2 * passes).sum(axis=axes)
    return float(np.exp(np.log(by_row).mean()))


def measure(name: str, seconds: float, passes: int, folder: Path) -> dict[str, Any]:
    """The worth of a pass, and the gain in time at the error of PASSES passes of one mask, by J.

    The time is of whole blocks of passes, scaled to the passes that the error takes.
    """
    model = load(name, folder)
    if model.planned.report.inner is None:
        return {"model": name, "site": None, "inner": {}}
    x = rows_of(model, name, ROWS)
    worths = {k: worth(model, x, passes, k) for k in INNER}
    needed = {k: PASSES * worths[1] / worths[k] for k in INNER}
    run = {k: BLOCK * max(2, round(needed[k] / BLOCK)) for k in INNER}
    calls = {str(k): _call(model, x, run[k], k) for k in INNER}
    taken = {k: statistics.median(times) for k, times in in_turns(calls, seconds).items()}
    each = {k: taken[str(k)] / run[k] for k in INNER}
    found = {
        k: {"worth": worths[k], "passes": needed[k], "gain": PASSES * each[1] / needed[k] / each[k]}
        for k in INNER
    }
    return {"model": name, "site": model.planned.report.inner.site, "inner": found}


def _call(model: Predictor, x: NDArray[np.float32], passes: int, inner: int) -> Callable[[], Any]:
    return lambda: model.predict(x, passes, seed=7, sampling="stratified", inner=inner)


def show(found: list[dict[str, Any]]) -> None:
    """Print the figures."""
    table = Table("model", "site", "inner", "worth of a pass", "passes for the error", "gain")
    for one in found:
        for k, at in one["inner"].items():
            figures = f"{at['worth']:.1f}", f"{at['passes']:.0f}", f"{at['gain']:.2f}"
            table.add_row(one["model"], one["site"], str(k), *figures)
    Console().print(table)


def main(
    models: Annotated[str, typer.Option(help="with commas between")] = ",".join(MODELS),
    output: Annotated[Path | None, typer.Option(help="folder of inner_masks.json")] = None,
    quick: bool = False,
) -> None:
    """Measure inner masks."""
    seconds, passes = (2.0, 400) if quick else (20.0, 4000)
    with tempfile.TemporaryDirectory() as folder:
        found = [measure(name, seconds, passes, Path(folder)) for name in models.split(",")]
    show(found)
    if output is not None:
        report = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine()}
        text = json.dumps(report | {"models": found}, indent=1)
        (output / "inner_masks.json").write_text(text + "\n")


if __name__ == "__main__":
    typer.run(main)
