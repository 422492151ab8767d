"""Print what calibrations of the demo models promise, and what random divisions of rows give.

    python -m scripts.calibration

Needs the `demo` extra, not TensorFlow. Each division calibrates with half of the held-out rows and
tests with the other half; predictions are computed once.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from scripts.calibration.pools import PASSES, Pool, digits_pool
from scripts.calibration.splits import divisions, metrics, risk, sets, task_of

COVERED, RISKED = 200, 500
TARGET, CONFIDENCE = 0.03, 0.95


def main() -> None:
    """Print the table."""
    pool = digits_pool()
    title = f"digits: {len(pool.rows)} held-out images, {PASSES} passes"
    table = Table("what", "promised or before", "found", title=title)
    for row in (*_metrics(pool), *_sets(pool), _risk(pool)):
        table.add_row(*row)
    Console().print(table)


def _metrics(pool: Pool) -> Sequence[Sequence[str]]:
    task = task_of(pool)
    pairs = [metrics(task, parts) for parts in divisions(pool, COVERED)]
    rows = []
    for name in ("nll", "brier", "ece"):
        before, after = (
            np.array([side[name] for side in sides]) for sides in zip(*pairs, strict=True)
        )
        better = f"{after.mean():.4f}, less in {np.mean(after < before):.0%} of {COVERED}"
        rows.append((f"{name}, before and after", f"{before.mean():.4f}", better))
    return rows


def _sets(pool: Pool) -> Sequence[Sequence[str]]:
    rows = []
    for method in ("lac", "aps"):
        task = task_of(pool, sets=method)
        covered, sizes = np.array([sets(task, parts) for parts in divisions(pool, COVERED)]).T
        found = f"{_with_error(covered)}, {sizes.mean():.2f} classes"
        rows.append((f"coverage of sets, {method}", "0.90", found))
    return rows


def _risk(pool: Pool) -> Sequence[str]:
    found = [risk(parts, TARGET, CONFIDENCE) for parts in divisions(pool, RISKED)]
    reached = np.array([one for one in found if one is not None])
    kept = 1 - (reached[:, 0] > TARGET).sum() / RISKED
    return (
        f"share of {RISKED} divisions with a risk of at most {TARGET:g}",
        f"{CONFIDENCE:g}",
        f"{kept:.3f}; threshold in {len(reached)}, risk {reached[:, 0].mean():.4f}, "
        f"{reached[:, 1].mean():.1%} accepted",
    )


def _with_error(values: NDArray[np.float64]) -> str:
    return f"{values.mean():.4f} ± {values.std() / np.sqrt(len(values)):.4f}"


if __name__ == "__main__":
    main()
