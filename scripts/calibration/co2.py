"""What calibrations of `co2` promise inside its data, and what becomes of that beyond them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import matplotlib
import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from models.zoo.co2 import EPOCHS
from models.zoo.data import Series
from scripts.calibration.early_co2 import BEYOND, divided, trained
from scripts.calibration.pools import PASSES, SEED, Pool, pool_of
from scripts.calibration.splits import COVERAGE, divisions, intervals, metrics, regression, scaled
from scripts.calibration.text import with_error
from service import load_model
from service.core.calibration import IntervalMethod
from service.evaluation.metrics.regression import inside
from service.fitting import calibrate
from service.protocol.options import Options

matplotlib.use("Agg")
from matplotlib import pyplot as plt

Array = NDArray[Any]

METHODS: tuple[IntervalMethod, ...] = get_args(IntervalMethod)
YEARS = (1991, 1993, 1995, 1998, 2001)


@dataclass(frozen=True)
class Effort:
    """How much is computed.

    Attributes:
        epochs: of the training.
        divisions: of the held-out weeks.
        passes: of each prediction.
    """

    epochs: int = EPOCHS
    divisions: int = 200
    passes: int = PASSES


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes:
        weeks: of the tests: a number for each division.
        before, after: metric to (N,) of each division.
        noise: (N,) standard deviation of the fitted noise, ppm; 0: none was fitted.
        covered: method to (N, 2) coverage and mean width, ppm.
        late: weeks from 1985 on.
        mean: (weeks,) of them.
        ends: method to (weeks, 2) of their intervals, calibrated with all held-out weeks.
    """

    weeks: int
    before: Mapping[str, Array]
    after: Mapping[str, Array]
    noise: Array
    covered: Mapping[IntervalMethod, Array]
    late: Series
    mean: Array
    ends: Mapping[IntervalMethod, Array]


def measured(effort: Effort = Effort()) -> Found:
    """Train the network, calibrate it in many ways, and test it inside and beyond its data."""
    weeks = divided()
    with TemporaryDirectory() as folder:
        file = trained(weeks.trained, effort.epochs, Path(folder))
        model = load_model(file)
        pool = pool_of(model, *weeks.held, ["samples"], effort.passes)
        ends = {
            method: _ends(file, weeks.held, weeks.late.year, method, effort.passes)
            for method in METHODS
        }
        mean = model.predict(weeks.late.year, effort.passes, SEED).mean[:, 0]
    return Found(**_inside(pool, effort.divisions), late=weeks.late, mean=mean, ends=ends)


def _inside(pool: Pool, count: int) -> dict[str, Any]:
    task = regression(pool)
    pairs = [metrics(task, parts) for parts in divisions(pool, count)]
    before, after = (
        {name: np.array([side[name] for side in sides]) for name in sides[0]}
        for sides in zip(*pairs, strict=True)
    )
    noises = [scaled(task, parts.calibrate).noise or 0.0 for parts in divisions(pool, count)]
    covered = {
        method: np.array(
            [
                intervals(regression(pool, intervals=method), parts)
                for parts in divisions(pool, count)
            ]
        )
        for method in METHODS
    }
    return {
        "weeks": len(pool.rows),
        "before": before,
        "after": after,
        "noise": np.sqrt(np.array(noises, np.float64)),
        "covered": covered,
    }


def _ends(file: Path, held: Series, year: Array, method: IntervalMethod, passes: int) -> Array:
    """(weeks, 2) intervals of the model with a calibration, as it answers."""
    options = Options(passes=passes, seed=SEED)
    found = calibrate(file, *held, coverages=(COVERAGE,), intervals=method, options=options)
    model = load_model(file).with_calibration(found.document)
    answer = model.predict(year, passes, SEED, ["prediction_interval"])
    ends: Array = answer.measures["prediction_interval"][:, 0]
    return ends


def tables(found: Found) -> Iterator[Table]:
    """What is promised and found inside the data, and what is found beyond them."""
    count = len(found.noise)
    title = f"co2 of 1958 to {BEYOND - 1}: {found.weeks} held-out weeks, {count} divisions"
    table = Table("what", "promised or before", "found", title=title)
    for name in ("nll", "crps", "picp_0.9", "mpiw_0.9"):
        table.add_row(name, f"{found.before[name].mean():.3f}", f"{found.after[name].mean():.3f}")
    noise = f"{found.noise.mean():.3f} ({found.noise.min():.3f} to {found.noise.max():.3f})"
    table.add_row("std of the noise, 1/√τ (ppm)", "", noise)
    scores = -(-(found.weeks // 2) // 2)
    promised = f"{COVERAGE:.2f} to {COVERAGE + 1 / (scores + 1):.4f}"
    for method, (covered, widths) in ((name, both.T) for name, both in found.covered.items()):
        row = f"{with_error(covered)}, {widths.mean():.2f} ppm wide"
        table.add_row(f"coverage, {method}", promised, row)
    yield table
    table = Table("year", "error (ppm)", *found.ends, title="beyond: coverage, and width in ppm")
    for year in (*range(BEYOND - 2, BEYOND), *YEARS):
        table.add_row(str(year), *_of_year(found, year))
    yield table


def _of_year(found: Found, year: int) -> Iterator[str]:
    at = np.floor(found.late.year[:, 0]) == year
    ppm = found.late.ppm[at, 0]
    yield f"{(found.mean[at] - ppm).mean():+.2f}"
    for ends in found.ends.values():
        low, high = ends[at].T
        yield f"{inside(low, high, ppm).mean():.2f}, {(high - low).mean():.1f}"


def plot(found: Found, path: Path) -> None:
    """Intervals of two methods, before and after the end of the data."""
    x = found.late.year[:, 0]
    figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    colors: dict[IntervalMethod, str] = {"normalized": "#0072B2", "absolute": "#D55E00"}
    for method, color in colors.items():
        axes.plot(x, found.ends[method], color=color, linewidth=1.2)
        axes.plot([], [], color=color, label=f"ends of 90 % intervals, {method}")
    axes.plot(
        x, found.late.ppm[:, 0], ".", color="black", markersize=2, label="weekly measurements"
    )
    axes.axvspan(BEYOND, x[-1], color="tab:gray", alpha=0.12, lw=0, label="beyond the data")
    axes.set(xlabel="year", ylabel="CO₂ over Mauna Loa (ppm)", xlim=(x[0], x[-1]))
    axes.legend(loc="upper left")
    figure.savefig(path, dpi=110)
    plt.close(figure)
