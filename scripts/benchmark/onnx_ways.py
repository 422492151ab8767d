"""ONNX Runtime: this project, the artifact itself, and two bounds.

Imports no TensorFlow, so that a fresh process can time one of them alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from scripts.benchmark.ways import Array, Call, Kind, Moments, Way, moments, tile
from service import load_model

SEED = 7


@dataclass(frozen=True)
class Files:
    """The ONNX files of one network; `trunk` is None if the tail is the whole network."""

    artifact: Path
    trunk: Path
    tail: Path

    @classmethod
    def of(cls, folder: Path) -> "Files":
        """The files in a folder."""
        return cls(folder / "model.onnx", folder / "trunk.onnx", folder / "tail.onnx")


def open_session(path: Path, spinning: bool = False) -> Any:
    """An onnxruntime.InferenceSession on the CPU, otherwise with default options.

    Args:
        path: of the ONNX file.
        spinning: whether its threads wait for work by spinning, as is the default.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not spinning:
        # A session's threads spin for a while after each run. With several sessions in one
        # process this would slow down the way that is measured next. Therefore spinning ends
        # with the run, as in this project. `default_options` in the results shows the effect
        # for a way that runs alone.
        options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def onnx_ways(files: Files) -> list[Way]:
    """Every way of this module, on one session of the artifact."""
    artifact = open_session(files.artifact)
    return [
        Way("plan", plan(files.artifact)),
        Way("tiled", tiled(artifact), Kind.TILED),
        Way("loop", loop(artifact), Kind.LOOP),
        Way("deterministic", deterministic(artifact)),
        Way("floor", floor(files)),
    ]


def plan(path: Path) -> Call:
    """This project: a whole call, from the validation of the input to the moments."""
    model = load_model(path)

    def call(x: Array, passes: int) -> Moments:
        prediction = model.predict(x, passes=passes, seed=SEED)
        return prediction.mean, prediction.variance

    return call


def _runner(artifact: Any, training: bool) -> Callable[[Array], Array]:
    """The artifact as a function of (rows, …) to (rows, K)."""
    name = next(i.name for i in artifact.get_inputs() if i.name != "training")
    flag = np.array(training)

    def run(x: Array) -> Array:
        y: Array = artifact.run(None, {name: x, "training": flag})[0]
        return y

    return run


def tiled(artifact: Any) -> Call:
    """One run of the artifact with dropout on, on all rows of all passes."""
    run = _runner(artifact, training=True)
    return lambda x, passes: moments(run(tile(x, passes)), passes)


def loop(artifact: Any) -> Call:
    """One run of the artifact with dropout on per pass."""
    run = _runner(artifact, training=True)
    return lambda x, passes: moments(np.concatenate([run(x) for _ in range(passes)]), passes)


def deterministic(artifact: Any) -> Call:
    """One run with dropout off, for any number of passes: the network without uncertainty."""
    run = _runner(artifact, training=False)

    def call(x: Array, passes: int) -> None:
        run(x)

    return call


def floor(files: Files, spinning: bool = False) -> Call:
    """Trunk on B rows and tail on B·P rows, without dropout, draws or moments.

    The rows of the tail are tiled at the first call for a number of rows and passes, which
    is not measured.
    """
    trunk = open_session(files.trunk, spinning) if files.trunk.exists() else None
    tail = open_session(files.tail, spinning)
    names = [value.name for value in tail.get_inputs()]
    tiled_for: tuple[int, int] | None = None
    feeds: dict[str, Array] = {}

    def call(x: Array, passes: int) -> None:
        nonlocal tiled_for, feeds
        frontier = [x] if trunk is None else _run_trunk(trunk, x)
        if tiled_for != (len(x), passes):
            feeds = {}  # frees the old ones, which may be large, first
            feeds = {n: tile(v, passes) for n, v in zip(names, frontier, strict=True)}
            tiled_for = len(x), passes
        tail.run(None, feeds)

    return call


def _run_trunk(trunk: Any, x: Array) -> list[Array]:
    values: list[Array] = trunk.run(None, {trunk.get_inputs()[0].name: x})
    return values


def floor_output(files: Files, x: Array) -> Array:
    """The output (B, K) of trunk and tail for rows (B, …)."""
    frontier = _run_trunk(open_session(files.trunk), x) if files.trunk.exists() else [x]
    tail = open_session(files.tail)
    names = [value.name for value in tail.get_inputs()]
    y: Array = tail.run(None, dict(zip(names, frontier, strict=True)))[0]
    return y
