"""What calibrations of `digits` promise, measured over random divisions of its test images."""

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from scripts.calibrate_demo_models import TARGET_RISK
from scripts.calibration.pools import PASSES, Pool, digits_pool
from scripts.calibration.splits import classification, divisions, metrics, risk, sets
from scripts.calibration.text import with_error

COVERED, RISKED = 200, 500
CONFIDENCE = 0.95


def digits_table() -> Table:
    """What is promised, and what is found."""
    pool = digits_pool()
    title = f"digits: {len(pool.rows)} held-out images, {PASSES} passes"
    table = Table("what", "promised or before", "found", title=title)
    for row in (*_metrics(pool), *_sets(pool), _risk(pool)):
        table.add_row(*row)
    return table


def _metrics(pool: Pool) -> Sequence[Sequence[str]]:
    task = classification(pool)
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
        task = classification(pool, sets=method)
        covered, sizes = np.array([sets(task, parts) for parts in divisions(pool, COVERED)]).T
        found = f"{with_error(covered)}, {sizes.mean():.2f} classes"
        rows.append((f"coverage of sets, {method}", "0.90", found))
    return rows


def _risk(pool: Pool) -> Sequence[str]:
    found = [risk(parts, TARGET_RISK, CONFIDENCE) for parts in divisions(pool, RISKED)]
    reached = np.array([one for one in found if one is not None])
    kept = 1 - (reached[:, 0] > TARGET_RISK).sum() / RISKED
    return (
        f"share of {RISKED} divisions with a risk of at most {TARGET_RISK:g}",
        f"{CONFIDENCE:g}",
        f"{kept:.3f}; threshold in {len(reached)}, risk {reached[:, 0].mean():.4f}, "
        f"{reached[:, 1].mean():.1%} accepted",
    )
