"""Draws where the time and the memory of an evaluation go."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: Colors of Okabe and Ito's palette for color blindness.
_STAGES = {"passes": "#0072B2", "metrics": "#CC79A7", "bootstrap": "#E69F00", "rest": "#999999"}
_MEMORY = {"model and libraries": "#999999", "rows and their scores": "#009E73"}


def draw(cases: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Stacked bars: seconds as shares of the whole, and peak memory.

    Args:
        cases: see `measured`.
        path: of the PNG file to write.
    """
    import matplotlib  # takes long to import

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    height = 1.3 + 0.5 * len(cases)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, height), layout="constrained")
    names = [f"{case['rows']:,} rows × {case['passes']:,}" for case in cases]
    totals = [sum(case["seconds"].values()) for case in cases]
    both = [*zip(cases, totals, strict=True)]
    shares = {
        stage: [100 * case["seconds"][stage] / total for case, total in both] for stage in _STAGES
    }
    _stack(left, names, shares, _STAGES)
    for place, total in enumerate(totals):
        left.text(101, place, f"{total:,.0f} s", va="center")
    left.set_xlim(0, 118)
    left.set_xticks(range(0, 101, 25))
    left.set_xlabel("time, %")
    base = [case["model_and_libraries_bytes"] / 2**20 for case in cases]
    more = [case["peak_bytes"] / 2**20 - own for case, own in zip(cases, base, strict=True)]
    _stack(right, names, dict(zip(_MEMORY, (base, more), strict=True)), _MEMORY)
    right.set_yticks(range(len(cases)), [""] * len(cases))
    right.set_xlabel("peak memory, MiB")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _stack(
    axes: Any, names: Sequence[str], parts: Mapping[str, Sequence[float]], colors: Mapping[str, str]
) -> None:
    """Horizontal bars, the first case at the top."""
    begun = [0.0] * len(names)
    for name, widths in parts.items():
        axes.barh(range(len(names)), widths, 0.6, left=begun, label=name, color=colors[name])
        begun = [at + width for at, width in zip(begun, widths, strict=True)]
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(parts), frameon=False, fontsize=8
    )
