"""Check on a GPU machine that models run on the GPU and give the same answers as on the CPU.

    python -m scripts.gpu_check [MODEL.onnx …]

Prints a line for each check, PASS or FAIL, and ratios of times. The exit code is 1 if a check
failed. `--device cpu` runs the same checks on the CPU, to test the script itself.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import onnxruntime
import typer
from numpy.typing import NDArray

from service import Predictor, load_model
from service.errors import SetupError
from service.graph.artifact import read_artifact
from service.inference.runner import Draws
from service.inference.trials import trial_rows
from service.runtime.device import Device, choose_device

STORE = Path(__file__).resolve().parent.parent / "models" / "store"
PASSES, SEED = 200, 7
#: Maximum difference between the devices, relative to the largest number.
TOLERANCE = 1e-5
#: Maximum bytes of integers that count as a shape; ONNX Runtime computes shapes on the CPU.
_SHAPE_BYTES = 256

Rows = dict[str, NDArray[Any]]


class Checks:
    """Prints the checks and counts the failed ones."""

    failed = 0

    def line(self, good: bool, what: str) -> None:
        """Print one check."""
        self.failed += not good
        typer.echo(f"{'PASS' if good else 'FAIL'}  {what}")


def main(
    models: Annotated[list[Path] | None, typer.Argument(help="Model files [the store's].")] = None,
    device: Annotated[str, typer.Option(help="cuda, cuda:N or cpu.")] = "cuda",
) -> None:
    """Check that models run on the GPU and give the same answers as on the CPU."""
    checks = Checks()
    try:
        found = choose_device(device)
    except SetupError as error:
        checks.line(False, str(error))
        raise typer.Exit(1) from error
    checks.line(True, f"{found.got}: {found.why} ONNX Runtime {onnxruntime.__version__}")
    for path in models or sorted(STORE.glob("*/*/model.onnx")):
        check_model(path, found, checks)
    typer.echo(f"{checks.failed} failed" if checks.failed else "all passed")
    raise typer.Exit(1 if checks.failed else 0)


def check_model(path: Path, device: Device, checks: Checks) -> None:
    """Run all checks of one model."""
    name = "/".join(path.parts[-3:-1]) or path.name
    rows = dict(trial_rows(read_artifact(path)))
    here, there = load_model(path), load_model(path, device.providers)
    checks.line(True, f"{name}: it passes verification on {device.got}")
    difference = max(_differences(here, there, rows))
    checks.line(
        difference <= TOLERANCE, f"{name}: seed {SEED} answers as on the CPU, to {difference:.1e}"
    )
    held = there.sampler.runner.frontier(rows).feeds.values()
    places = {v.device_name() for v in held if isinstance(v, onnxruntime.OrtValue)}
    wanted = {device.got.partition(":")[0]}
    checks.line(places <= wanted, f"{name}: the frontier lies on {', '.join(places) or 'the host'}")
    away = sorted(_nodes_away(there, device, rows))
    checks.line(not away, f"{name}: tail nodes on another device: {', '.join(away) or 'none'}")
    _ratios(name, here, there, rows)


def _differences(here: Predictor, there: Predictor, rows: Rows) -> Iterator[float]:
    """Differences of mean and variance, relative to the largest number."""
    both: tuple[Literal["shared", "per_row"], ...] = ("shared", "per_row")
    for masks in both:
        a, b = (m.predict(rows, PASSES, SEED, masks=masks) for m in (here, there))
        for output in a:
            for x, y in (
                (a[output].mean, b[output].mean),
                (a[output].variance, b[output].variance),
            ):
                yield float(np.abs(x - y).max() / (np.abs(x).max() or 1.0))


def _nodes_away(model: Predictor, device: Device, rows: Rows) -> set[str]:
    """Operators of the tail, except shapes, that ran on another provider, from a profile."""
    runner = model.sampler.runner
    frontier = runner.frontier(rows)
    feeds = runner.arrays(frontier, runner.draw(frontier, range(8), Draws(SEED)))
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "tail")
        session = onnxruntime.InferenceSession(
            runner.plan.tail, options, providers=list(device.providers)
        )
        session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text())
    wanted = model.providers[0]
    return {
        f"{event['args']['op_name']} ({event['args']['provider']})"
        for event in events
        if event.get("cat") == "Node"
        and event["args"].get("provider", wanted) != wanted
        and not _is_shape(event["args"])
    }


def _is_shape(arguments: dict[str, Any]) -> bool:
    """Whether the output of a node is a few integers."""
    kinds = {kind for output in arguments.get("output_type_shape", []) for kind in output}
    return kinds <= {"int64", "int32"} and int(arguments.get("output_size", 0)) <= _SHAPE_BYTES


def _ratios(name: str, here: Predictor, there: Predictor, rows: Rows) -> None:
    """How many times as fast as on the CPU: ratios of medians from alternating runs."""
    for count, passes in ((1, 100), (32, 100), (32, 1000)):
        batch = {k: np.resize(x, (count, *x.shape[1:])) for k, x in rows.items()}
        ways = (partial(model.predict, batch, passes, SEED) for model in (here, there))
        cpu, gpu = _interleaved(*ways)
        typer.echo(f"      {name}: B={count}, N={passes}: {cpu / gpu:.2f} times as fast as the CPU")


def _interleaved(*ways: Callable[[], Any], rounds: int = 7) -> list[float]:
    """Median seconds of each function, run alternately, after one call to warm up."""
    times: list[list[float]] = [[] for _ in ways]
    for turn in range(rounds + 1):
        for way, taken in zip(ways, times, strict=True):
            started = time.perf_counter()
            way()
            if turn:
                taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in times]


if __name__ == "__main__":
    typer.run(main)
