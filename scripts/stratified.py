"""What stratified passes cost and gain, against independent ones.

    python -m scripts.stratified --output benchmarks

In one run: the time of a call of each sampling, taken in turns; how many independent passes are
worth one stratified pass for the mean, and the time of two calls with the same error; whether mean
and variance are unbiased; whether the reported standard errors are right. Writes stratified.json;
takes about six minutes on two cores. Needs the `export` and `demo` extras for dense and cnn.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from scripts.benchmark.machine import origin
from service import Predictor, load_model
from service.core.moments import Sums, moments
from service.core.strata import BLOCK
from service.inference.runner import Draws
from service.protocol.options import SAMPLINGS, Sampling

STORE = Path(__file__).resolve().parent.parent / "models" / "store"
MODELS = ("digits", "co2", "dense", "cnn")
#: Maximum cost of a call with so many rows, as a multiple of an independent one.
COSTS = {1: 1.15, 32: 1.05}
#: Minimum gain in time for the same error of the mean, at 32 rows.
GAINS = {"digits": 1.6, "co2": 5.0, "dense": 2.0, "cnn": 2.0}
PASSES = 100
#: Passes whose samples are held at a time: whole answers of PASSES.
_AT_A_TIME = 10_000
#: Degrees of freedom of a standard error, and quantiles of Student's t distribution at them.
DEGREES = {"stratified": PASSES // BLOCK - 1, "independent": PASSES - 1}
T_975 = {"stratified": 2.776, "independent": 1.984}
STRATIFIED = Draws(7, sampling="stratified")
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Effort:
    """How long to measure: seconds of a timing, passes of a gain, passes and runs of an error."""

    seconds: float
    gain_passes: int
    passes: int
    runs: int


FULL = Effort(seconds=12.0, gain_passes=20_000, passes=1_000_000, runs=2000)
QUICK = Effort(seconds=2.0, gain_passes=4000, passes=40_000, runs=200)


def load(name: str, folder: Path) -> Predictor:
    """A demo model, or a network of the benchmark, which is exported to `folder`.

    Without a calibration, which costs the same in all samplings and would hide what they cost.
    """
    path = STORE / name / "1" / "model.onnx"
    if not path.exists():
        from models.export import export_model
        from scripts.benchmark.networks import build_network

        path = folder / name / "1" / "model.onnx"
        export_model(build_network(name).model, path, task="other")
    return load_model(path).with_calibration(None)


def rows_of(model: Predictor, name: str, count: int) -> NDArray[np.float32]:
    """(count, …) rows that suit a model: years for co2, pixels for digits, else random numbers."""
    shape = [size or 1 for size in model.manifest.inputs[0].shape[1:]]
    low, high = {"co2": (1958.0, 2012.0), "digits": (0.0, 16.0)}.get(name, (0.0, 1.0))
    return np.random.default_rng(0).uniform(low, high, (count, *shape)).astype(np.float32)


def in_turns(calls: dict[str, Callable[[], Any]], seconds: float) -> dict[str, list[float]]:
    """Seconds of each call in each round; the order changes from round to round."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call(), call()
    end, order = time.perf_counter() + seconds, list(calls)
    while time.perf_counter() < end or len(taken[order[0]]) < 5:
        for name in order:
            begun = time.perf_counter()
            calls[name]()
            taken[name].append(time.perf_counter() - begun)
        order.reverse()
    return taken


def time_of(
    model: Predictor, x: NDArray[np.float32], passes: dict[Sampling, int], effort: Effort
) -> dict[str, float]:
    """Median seconds of a call of each sampling, and of the ratio in each round."""

    def call(sampling: Sampling) -> Callable[[], Any]:
        return lambda: model.predict(x, passes[sampling], seed=7, sampling=sampling)

    taken = in_turns({sampling: call(sampling) for sampling in SAMPLINGS}, effort.seconds)
    pairs = zip(taken["stratified"], taken["independent"], strict=True)
    found = {name: statistics.median(times) for name, times in taken.items()}
    return found | {"ratio": statistics.median(a / b for a, b in pairs)}


def worth(
    model: Predictor, x: NDArray[np.float32], passes: int, draws: Draws = STRATIFIED
) -> float:
    """Independent passes that are worth one of `draws` for the mean: geometric mean over rows.

    Of each row, the sums over outputs of the variance and of the variance of the mean times P.
    """
    sums: Sums | None = None
    for samples in samples_of(model, x, passes, draws):
        sums = (sums or Sums.start(samples, draws.block, draws.inner)).add(samples)
    if sums is None:
        raise ValueError("there are no passes")
    found = sums.moments()
    axes = tuple(range(1, found.mean.ndim))
    by_row = found.variance.sum(axis=axes) / (found.standard_error**2 * passes).sum(axis=axes)
    return float(np.exp(np.log(by_row).mean()))


def samples_of(
    model: Predictor, x: NDArray[np.float32], passes: int, draws: Draws
) -> Iterator[NDArray[Any]]:
    """(P, B, …) samples of the first output, of some passes after the other."""
    rows, name = {model.manifest.inputs[0].name: x}, model.manifest.outputs[0].name
    for first in range(0, passes, _AT_A_TIME):
        count = min(_AT_A_TIME, passes - first)
        yield model.sampler.sample(rows, count, draws, first=first)[name]


def right(
    model: Predictor, x: NDArray[np.float32], effort: Effort, draws: Draws = STRATIFIED
) -> dict[str, float]:
    """Whether answers of PASSES passes are right, from all passes of one seed.

    Returns:
        `mean` and `variance`: the largest difference, over rows and outputs, of the average over
        answers from that of as many independent passes, in standard errors of the difference;
        `error_ratio`: root of the mean squared standard error that answers report over the
        deviation of their means; `coverage` of intervals at 95 %, and `independent_coverage` of
        those of independent passes; `z`: deviation of the z scores, and `t`: that of Student's t
        distribution.
    """
    mean, variance, error = _answers(model, x, effort.passes, draws)
    others = _answers(model, x, effort.passes, Draws(8))
    degrees = DEGREES[draws.sampling]
    off, error = mean[: effort.runs] - mean.mean(axis=0), error[: effort.runs]
    other_off, other = (others[0] - others[0].mean(axis=0))[: effort.runs], others[2][: effort.runs]
    return {
        "mean": _apart(mean, others[0]),
        "variance": _apart(variance, others[1]),
        "error_ratio": float(np.sqrt((error**2).mean(axis=0) / (off**2).mean(axis=0)).mean()),
        "coverage": float((np.abs(off) <= T_975[draws.sampling] * error).mean()),
        "independent_coverage": float((np.abs(other_off) <= T_975["independent"] * other).mean()),
        "z": float((off / error).std()),
        "t": float(np.sqrt(degrees / (degrees - 2))),
    }


def _answers(
    model: Predictor, x: NDArray[np.float32], passes: int, draws: Draws
) -> tuple[Array, ...]:
    """Mean, variance and standard error of each answer of PASSES passes: (answers, B, …) each."""
    each = PASSES * draws.inner
    found = [
        moments(part, draws.block, draws.inner)
        for samples in samples_of(model, x, passes, draws)
        for part in np.split(samples, len(samples) // each)
    ]
    names = ("mean", "variance", "standard_error")
    return tuple(np.array([getattr(one, name) for one in found]) for name in names)


def _apart(found: Array, wanted: Array) -> float:
    """Largest difference of averages, in standard errors."""
    errors = found.var(axis=0, ddof=1) / len(found) + wanted.var(axis=0, ddof=1) / len(wanted)
    return float((np.abs(found.mean(axis=0) - wanted.mean(axis=0)) / np.sqrt(errors)).max())


def measure(name: str, effort: Effort, folder: Path) -> dict[str, Any]:
    """Everything about one model."""
    model = load(name, folder)
    found: dict[str, Any] = {"model": name, "cost": {}}
    for count in COSTS:
        x = rows_of(model, name, count)
        same: dict[Sampling, int] = {"independent": PASSES, "stratified": PASSES}
        found["cost"][str(count)] = time_of(model, x, same, effort)
    x = rows_of(model, name, 32)
    found["worth"] = worth(model, x, effort.gain_passes)
    equal: dict[Sampling, int] = {
        "independent": round(PASSES * found["worth"]),
        "stratified": PASSES,
    }
    found["same_error"] = time_of(model, x, equal, effort)
    found["gain"] = 1 / found["same_error"]["ratio"]
    if name in ("digits", "co2"):
        found["right"] = right(model, x[:2], effort)
    return found


def show(found: list[dict[str, Any]]) -> None:
    """Print the figures beside the bars."""
    console = Console()
    table = Table("model", "cost 1 × 100", "cost 32 × 100", "worth", "gain in time at 32 rows")
    for one in found:
        costs = [f"{one['cost'][str(n)]['ratio']:.3f} (≤ {bar})" for n, bar in COSTS.items()]
        gain = f"{one['gain']:.2f} (≥ {GAINS[one['model']]})"
        table.add_row(one["model"], *costs, f"{one['worth']:.2f}", gain)
    console.print(table)
    for one in found:
        if "right" in one:
            console.print(one["model"], {key: round(x, 3) for key, x in one["right"].items()})


def main(
    models: Annotated[str, typer.Option(help="with commas between")] = ",".join(MODELS),
    output: Annotated[Path | None, typer.Option(help="folder of stratified.json")] = None,
    quick: bool = False,
) -> None:
    """Measure stratified passes."""
    effort = QUICK if quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        found = [measure(name, effort, Path(folder)) for name in models.split(",")]
    show(found)
    if output is not None:
        text = json.dumps({**origin(), "models": found}, indent=1)
        (output / "stratified.json").write_text(text + "\n")


if __name__ == "__main__":
    typer.run(main)
