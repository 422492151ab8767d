"""Draw the results."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import matplotlib

from scripts.benchmark.results import CaseResult
from scripts.benchmark.timing import Case

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D

Line = Literal["-", "--", ":"]
#: Way to color (of Okabe and Ito's palette for color blindness), marker and line style.
STYLES: dict[str, tuple[str, str, Line]] = {
    "keras_loop": ("#D55E00", "v", "-"),
    "torch_tiled": ("#CC79A7", "P", "-"),
    "tf_function": ("#E69F00", "s", "-"),
    "loop": ("#56B4E9", "^", "-"),
    "tiled": ("#009E73", "D", "-"),
    "plan": ("#0072B2", "o", "-"),
    "floor": ("black", "", "--"),
    "deterministic": ("gray", "", ":"),
}
NAMES = {
    "keras_loop": "Keras: loop of model(x, training=True)",
    "torch_tiled": "PyTorch: tiled rows",
    "tf_function": "Keras: one tf.function, tiled rows",
    "loop": "ONNX Runtime: loop of runs",
    "tiled": "ONNX Runtime: tiled rows",
    "plan": "this project",
    "floor": "floor: no dropout, no moments",
    "deterministic": "one pass, no dropout",
}
AGAINST_PASSES = [(network, rows) for network in ("dense", "cnn") for rows in (1, 32)]
PASSES = 100

Number = Callable[[Case], int]


def draw(results: Sequence[CaseResult], path: Path) -> Path | None:
    """Draw two rows of panels: time against passes, and against rows.

    Args:
        results: of the measured cases; panels with fewer than two points are left out.
        path: of the PNG file to write.

    Returns:
        The path; None if no panel has data.
    """
    above = [
        (f"{network}, {_rows(rows)}", found)
        for network, rows in AGAINST_PASSES
        if len(found := [r for r in results if (r.network, r.case.rows) == (network, rows)]) > 1
    ]
    below = [
        (f"{network}, {PASSES} passes", found)
        for network in dict.fromkeys(result.network for result in results)
        if len(found := [r for r in results if (r.network, r.case.passes) == (network, PASSES)]) > 1
    ]
    lines = [line for line in ((above, "passes", _passes), (below, "rows", _count)) if line[0]]
    if not lines:
        return None
    figure = plt.figure(figsize=(14, 3.4 * len(lines) + 0.6), layout="constrained")
    parts = figure.subfigures(len(lines), 1, squeeze=False)[:, 0]
    for part, (panels, label, number) in zip(parts, lines, strict=True):
        _panels(part, panels, label, number)
    _legend(figure, results)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path


def _passes(case: Case) -> int:
    return case.passes


def _count(case: Case) -> int:
    return case.rows


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _panels(
    part: Any, panels: Sequence[tuple[str, Sequence[CaseResult]]], label: str, number: Number
) -> None:
    """One row of panels with a common time axis."""
    every = part.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, results) in zip(every, panels, strict=True):
        for name, (color, marker, line) in STYLES.items():
            points = sorted(
                (number(r.case), r.ways[name].seconds) for r in results if name in r.ways
            )
            width = 2.4 if name == "plan" else 1.3
            axes.plot(
                [x for x, _ in points],
                [1e3 * seconds for _, seconds in points],
                color=color,
                marker=marker,
                linestyle=line,
                linewidth=width,
                markersize=5,
            )
        ticks = sorted({number(result.case) for result in results})
        axes.set(xscale="log", yscale="log", title=title, xlabel=label)
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    every[0].set_ylabel("time of a call, ms")


def _legend(figure: Any, results: Iterable[CaseResult]) -> None:
    """The legend below the panels, for the ways that were timed."""
    timed = {name for result in results for name in result.ways}
    handles = [
        Line2D([], [], color=color, marker=marker, linestyle=line, label=NAMES[name])
        for name, (color, marker, line) in STYLES.items()
        if name in timed
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
