"""Draw the figures of docs/uncertainty.md, and print its numbers.

    python -m scripts.uncertainty_figures --figures docs/images

It samples the demo models as the server does. Needs the `demo` extra, not TensorFlow.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import matplotlib
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from models.zoo.data import Series, co2_splits, digits_splits
from scripts.evaluate_demo_models import SEED, STORE, demo_model, rotated, uncertainty
from service import Predictor, load_model
from service.protocol.options import SAMPLINGS, Sampling

matplotlib.use("Agg")
from matplotlib import pyplot as plt

Array = NDArray[Any]

#: Colors of Okabe and Ito's palette for color blindness.
BLUE, ORANGE, GREEN, BLACK = "#0072B2", "#D55E00", "#009E73", "#000000"
#: Passes of the reference for Monte Carlo errors, and of the numbers.
REFERENCE, PASSES = 100_000, 2000
GRID = (40, 80, 160, 320, 640, 1280)
#: Seeds for each number of passes.
REPEATS = 60
#: Passes over all seeds for the bias of few passes.
BIAS_PASSES = 8192
YEARS = np.arange(2002, 2012, dtype=np.float32)[:, None]


@dataclass(frozen=True)
class Errors:
    """Monte Carlo error of the mean, in standard deviations over passes.

    Attributes:
        actual: (N,) for each number of passes: root mean square over rows and seeds.
        reported: (N,) the standard error, likewise.
        coverage: (N,) share of means within 1.96 standard errors of the reference.
    """

    actual: Array
    reported: Array
    coverage: Array


#: By model and sampling.
ErrorsBy = dict[tuple[str, Sampling], Errors]


def monte_carlo_errors(
    model: Predictor, x: Array, column: Array, sampling: Sampling = "independent"
) -> Errors:
    """Compare means over few passes with one over many.

    Args:
        model: of one output (B, K).
        x: (B, …) rows.
        column: (B,) element of each row's output.
        sampling: of the few passes.
    """
    rows = np.arange(len(x))
    reference = model.predict(x, REFERENCE, SEED)
    mean, std = reference.mean[rows, column], np.sqrt(reference.variance[rows, column])
    actual, reported = (np.empty((len(GRID), REPEATS, len(x))) for _ in range(2))
    for i, passes in enumerate(GRID):
        for seed in range(REPEATS):
            found = model.predict(x, passes, seed, ["standard_error"], sampling=sampling)
            actual[i, seed] = (found.mean[rows, column] - mean) / std
            reported[i, seed] = found.measures["standard_error"][rows, column] / std
    covered = np.abs(actual) <= 1.96 * reported
    rms = [np.sqrt((errors**2).mean(axis=(1, 2))) for errors in (actual, reported)]
    return Errors(rms[0], rms[1], covered.mean(axis=(1, 2)))


@dataclass(frozen=True)
class Intervals:
    """Central intervals of 90 % for weekly measurements of co2.

    Attributes:
        mean: (weeks,) of the passes.
        of_mean: (2, weeks) lower and upper end over the passes.
        of_target: (2, weeks) with the noise of the measurements.
        noise: standard deviation of that noise, ppm.
    """

    mean: Array
    of_mean: Array
    of_target: Array
    noise: float


def co2_intervals(year: Array) -> Intervals:
    """Intervals over the passes, and with the noise that the model's calibration knows."""
    names = ("interval", "predictive_interval")
    asked = [{name: 0.9} for name in names] + ["aleatoric"]
    found = load_model(STORE / "co2" / "1" / "model.onnx").predict(year, PASSES // 4, SEED, asked)
    of_mean, of_target = (found.measures[name][:, 0].T for name in names)
    noise = float(np.sqrt(found.measures["aleatoric"][0, 0]))
    return Intervals(found.mean[:, 0], of_mean, of_target, noise)


def share_inside(ends: Array, values: Array) -> float:
    """Share of (B,) values between (2, B) ends."""
    return float(np.mean((ends[0] <= values) & (values <= ends[1])))


def samples_of(model: Predictor, row: Array, passes: int) -> Array:
    """(P, K) outputs for one row."""
    samples: Array = model.predict(row[None], passes, SEED, ["samples"]).measures["samples"][0]
    return samples


def plot_errors(errors: ErrorsBy, path: Path) -> None:
    """Monte Carlo error of the mean over the number of passes, with the reported one."""
    figure, axes = plt.subplots(figsize=(7, 4.6), layout="constrained")
    for (name, sampling), found in errors.items():
        color = BLUE if name == "digits" else ORANGE
        line, marker = ("-", "o") if sampling == "independent" else ("--", "s")
        label = f"{name}, {sampling}"
        axes.loglog(GRID, found.reported, line, color=color)
        axes.loglog(GRID, found.actual, line + marker, color=color, linewidth=0)
        axes.plot([], [], line + marker, color=color, label=label)
    axes.loglog(GRID, 1 / np.sqrt(GRID), ":", color=BLACK, label="1/√P")
    axes.set(xlabel="passes P", ylabel="error of the mean / standard deviation")
    shares = (0.2, 0.1, 0.05, 0.02, 0.01)
    axes.set_xticks(GRID, map(str, GRID))
    axes.set_yticks(shares, map(str, shares))
    axes.minorticks_off()
    axes.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plot_intervals(weeks: Series, found: Intervals, path: Path) -> None:
    """Interval over the passes, and with noise, from 1990 on."""
    shown = weeks.year[:, 0] >= 1990
    x = weeks.year[shown, 0]
    figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    for ends, color, text in (
        (found.of_target, GREEN, "90 % interval of a measurement (with noise)"),
        (found.of_mean, BLUE, "90 % interval over the passes (of the mean function)"),
    ):
        axes.fill_between(x, *ends[:, shown], color=color, alpha=0.3, lw=0, label=text)
    axes.plot(x, found.mean[shown], color=BLUE, label="mean of the passes")
    axes.plot(x, weeks.ppm[shown, 0], ".", color=BLACK, markersize=3, label="weeks of the test")
    axes.set(xlabel="year", ylabel="CO₂ over Mauna Loa (ppm)", xlim=(x[0], x[-1]))
    axes.legend(loc="upper left")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plot_samples(digits: Array, classes: Array, co2: Array, path: Path) -> None:
    """Histograms of the outputs of all passes, with mean and central interval of 90 %."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for i, (samples, color) in enumerate(zip(digits, (BLUE, ORANGE), strict=True)):
        _histogram(left, samples, color, f"probability of {classes[i]}", i)
    left.set(xlabel="probability in a pass", ylabel="passes", title="digits: an ambiguous image")
    _histogram(right, co2, BLUE, "prediction for 2010")
    right.set(xlabel="ppm in a pass", title="co2: eight years beyond the data")
    for axes in (left, right):
        axes.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _histogram(axes: Any, samples: Array, color: str, label: str, line: int = 0) -> None:
    """A histogram above its interval, which is on a line of its own below the axis."""
    counts, _, _ = axes.hist(samples, bins=40, color=color, alpha=0.45, label=label)
    axes.axvline(samples.mean(), color=color)
    low, high = np.quantile(samples, (0.05, 0.95))
    axes.plot([low, high], [-counts.max() * 0.05 * (line + 1)] * 2, color=color, linewidth=4)


def main(
    figures: Annotated[Path | None, typer.Option(help="Folder to draw the figures into.")] = None,
) -> None:
    """Print the numbers of docs/uncertainty.md, and draw its figures."""
    digits, co2 = demo_model("digits"), demo_model("co2")
    _, test = digits_splits()
    images = rotated(test.x[:20], 30)
    classes = digits.predict(images, PASSES, SEED).mean.argmax(axis=1)
    given = {
        "digits": (digits, images, classes),
        "co2": (co2, YEARS, np.zeros(len(YEARS), int)),
    }
    errors = {
        (name, sampling): monte_carlo_errors(model, x, column, sampling)
        for name, (model, x, column) in given.items()
        for sampling in SAMPLINGS
    }
    weeks = co2_splits().test
    intervals = co2_intervals(weeks.year)
    console = Console()
    console.print(digits_table(digits, test.x, test.y))
    console.print(bias_table(digits, images))
    console.print(error_table(errors))
    console.print(interval_table(intervals, weeks.ppm[:, 0]))
    console.print(rate_table(co2))
    console.print(stopping_table(digits, test.x))
    if figures is None:
        return
    plot_errors(errors, figures / "passes.png")
    plot_intervals(weeks, intervals, figures / "interval.png")
    entropy = digits.predict(test.x, PASSES // 10, SEED, ["predictive_entropy"])
    row = int(entropy.measures["predictive_entropy"].argmax())
    both = np.argsort(entropy.mean[row])[::-1][:2]
    samples = samples_of(digits, test.x[row], PASSES)[:, both].T
    year_2010 = samples_of(co2, np.array([2010.0], np.float32), PASSES)[:, 0]
    plot_samples(samples, both, year_2010, figures / "samples.png")


def digits_table(model: Predictor, x: Array, y: Array) -> Table:
    """Errors and uncertainty of all images, of the most certain ones, and of rotated ones."""
    table = Table("digits", "wrong", "mean confidence", "entropy (nats)", "mutual information")
    for angle in (0, 30, 90):
        found = uncertainty(model, rotated(x, angle))
        wrong, order = found.wrong(y), found.total.argsort()
        for share in (1.0, 0.95, 0.9) if angle == 0 else (1.0,):
            kept = order[: round(share * len(x))]
            name = f"{angle}°" + ("" if share == 1 else f", most certain {share:.0%}")
            confidence = found.mean[kept].max(axis=1).mean()
            figures = (wrong[kept], confidence, found.total[kept], found.epistemic[kept])
            table.add_row(name, *(f"{np.mean(figure):.3f}" for figure in figures))
    return table


def bias_table(model: Predictor, images: Array) -> Table:
    """Mean entropy and mutual information of images by the number of passes."""
    names = ["predictive_entropy", "mutual_information"]
    table = Table("digits, rotated by 30°: passes", *names)
    for passes in (8, 32, 128, 2048):
        seeds = range(max(1, BIAS_PASSES // passes))
        repeats = [model.predict(images, passes, seed, names) for seed in seeds]
        means = [np.mean([one.measures[name] for one in repeats]) for name in names]
        table.add_row(str(passes), *(f"{mean:.3f}" for mean in means))
    return table


def error_table(errors: ErrorsBy) -> Table:
    """Coverage of mean ± 1.96 standard errors, and independent passes that one pass is worth."""
    table = Table("model", "sampling", "worth", *map(str, GRID), title="coverage of ±1.96 errors")
    for (name, sampling), found in errors.items():
        worth = 1 / np.mean(found.actual**2 * GRID)
        shares = (f"{share:.3f}" for share in found.coverage)
        table.add_row(name, sampling, f"{worth:.1f}", *shares)
    return table


def interval_table(found: Intervals, ppm: Array) -> Table:
    """Share of the measurements inside each kind of interval."""
    table = Table("co2: interval of 90 %", "measurements inside")
    table.add_row("over the passes", f"{share_inside(found.of_mean, ppm):.3f}")
    table.add_row(
        f"with noise of {found.noise:.2f} ppm", f"{share_inside(found.of_target, ppm):.3f}"
    )
    return table


def rate_table(model: Predictor) -> Table:
    """Predictions of co2 for 2010 by the scale of its dropout rates; 0 is dropout off."""
    table = Table("co2: rate_scale", "mean for 2010 (ppm)", "standard deviation")
    for scale in (0.0, 0.5, 1.0, 2.0):
        found = model.predict([[2010.0]], PASSES, SEED, rate_scale=scale)
        mean, std = found.mean.item(), np.sqrt(found.variance.item())
        table.add_row(f"{scale:g}", f"{mean:.1f}", f"{std:.2f}")
    return table


def stopping_table(model: Predictor, images: Array) -> Table:
    """Passes of stopping rules for upright and rotated digits, and the share of settled rows."""
    table = Table("digits: passes", "angle", "mean", "median", "99 %", "settled")
    for rule in ({"tolerance": 0.01}, {"decide": {"measure": "predicted_class"}}):
        for angle in (0, 30):
            found = model.predict(rotated(images, angle), {"max": PASSES, **rule}, SEED)
            passes, settled = np.asarray(found.row_passes), np.asarray(found.row_settled)
            quantiles = (np.quantile(passes, level) for level in (0.5, 0.99))
            figures = (f"{number:.0f}" for number in (passes.mean(), *quantiles))
            table.add_row(json.dumps(rule), f"{angle}°", *figures, f"{settled.mean():.3f}")
    return table


if __name__ == "__main__":
    typer.run(main)
