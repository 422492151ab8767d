"""How long each part of a call of the plan takes."""

import statistics
import time
from collections.abc import Callable
from typing import Any

from scripts.benchmark.ways import Array
from service import Predictor
from service.core.moments import moments
from service.inference.inputs import read_inputs
from service.inference.runner import Draws

#: Rounds over all parts, and the maximum time that they may take, in seconds.
ROUNDS, SECONDS = 50, 10.0
SEED = 7


def parts(model: Predictor, x: Array, passes: int) -> dict[str, float]:
    """Time the parts of `model.predict(x, passes=passes)`.

    Trunk and tail are timed separately. A call that needs each of them once runs both together,
    which takes less time than the sum.

    Args:
        model: loaded.
        x: (B, …) rows.
        passes: P, as many as run at a time.

    Returns:
        Name of a part to its median in seconds, measured alternately: validation, trunk,
        draws, tail, moments, and the whole call.
    """
    runner, draws = model.sampler.runner, Draws(SEED)
    specs = model.manifest.inputs
    rows = read_inputs(x, specs)
    frontier = runner.frontier(rows)
    drawn = runner.draw(frontier, range(passes), draws)
    (samples,) = runner.run(frontier, drawn).values()
    ways: dict[str, Callable[[], Any]] = {
        "validation": lambda: read_inputs(x, specs),
        "trunk": lambda: runner.frontier(rows),
        "draws": lambda: runner.draw(frontier, range(passes), draws),
        "tail": lambda: runner.run(frontier, drawn),
        "moments": lambda: moments(samples),
        "whole call": lambda: model.predict(x, passes=passes, seed=SEED),
    }
    return _medians(ways)


def _medians(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in ways}
    end = time.perf_counter() + SECONDS
    for _ in range(ROUNDS):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            taken[name].append(time.perf_counter() - started)
        if time.perf_counter() > end:
            break
    return {name: statistics.median(times) for name, times in taken.items()}
