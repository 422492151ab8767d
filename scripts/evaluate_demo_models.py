"""Evaluate the uncertainty of the demo models, in numbers and figures.

    python -m scripts.evaluate_demo_models --figures docs/images

It samples the artifacts as the server does. Needs the `demo` extra, not TensorFlow.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import matplotlib
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.ndimage import rotate

from mcdropout import evaluate
from models.zoo.data import co2_series, co2_splits, digits_splits
from service import Predictor, load_model
from service.evaluation.document import Estimate
from service.evaluation.metrics.regression import inside

matplotlib.use("Agg")
from matplotlib import pyplot as plt

Array = NDArray[Any]

STORE = Path(__file__).resolve().parent.parent / "models" / "store"
ANGLES = (0, 30, 60, 90)
YEARS_BEYOND = (5, 10)
PASSES, SEED = 400, 2016


@dataclass(frozen=True)
class DigitsReport:
    """Uncertainty of `digits` on its whole test split."""

    accuracy: Estimate
    errors: int
    auroc: Estimate  # of predictive entropy, for separating wrong answers from right ones
    entropy_by_angle: dict[int, float]  # mean predictive entropy in nats


@dataclass(frozen=True)
class Co2Report:
    """Standard deviation of `co2` beyond the data, and what its calibration makes of it.

    Inside the data are the weeks of the test split.
    """

    median_inside: float  # ppm
    ratio_beyond: dict[int, float]  # years after the last measurement to ratio to that
    covered: float  # share of the weeks in their prediction intervals
    accepted: float  # share of the weeks
    accepted_beyond: dict[int, bool]  # years after the last measurement


def demo_model(name: str) -> Predictor:
    """The demo model `name` of the store, without its calibration: its passes are measured."""
    return load_model(_file(name)).with_calibration(None)


def _file(name: str) -> Path:
    return STORE / name / "1" / "model.onnx"


def _said(estimate: Estimate, digits: int) -> str:
    """A number with its interval."""
    ends = (f"{end:.{digits}f}" for end in (estimate.low, estimate.high) if end is not None)
    return f"{estimate.value:.{digits}f} ({' to '.join(ends)})"


def rotated(images: Array, degrees: float) -> Array:
    """(rows, 64) images rotated about their center, with linear interpolation."""
    turned: Array = rotate(images.reshape(-1, 8, 8), degrees, axes=(1, 2), reshape=False, order=1)
    return turned.reshape(-1, 64).astype(np.float32)


@dataclass(frozen=True)
class Uncertainty:
    """Answers of `digits` for some images.

    Attributes:
        mean: (rows, 10) probabilities.
        total: (rows,) predictive entropy, nats.
        epistemic: (rows,) mutual information, nats.
    """

    mean: Array
    total: Array
    epistemic: Array

    def wrong(self, labels: Array) -> Array:
        """(rows,) bool, whether the most likely class is another one."""
        wrong: Array = self.mean.argmax(axis=1) != labels
        return wrong


def uncertainty(model: Predictor, images: Array) -> Uncertainty:
    """Answers for (rows, 64) images."""
    names = ["predictive_entropy", "mutual_information"]
    found = model.predict(images, PASSES, SEED, names)
    return Uncertainty(found.mean, *(found.measures[name] for name in names))


def evaluate_digits(model: Predictor) -> DigitsReport:
    """Compare wrong with right answers, and rotated with upright images."""
    _, test = digits_splits()
    found = evaluate(
        _file("digits"),
        (test.x, test.y),
        passes=[PASSES],
        rate_scales=[],
        masks=["shared"],
        seed=SEED,
        loaded=model,
    )
    result = found.result(f"{PASSES} passes")
    answers = {angle: uncertainty(model, rotated(test.x, angle)) for angle in ANGLES}
    return DigitsReport(
        accuracy=result.metrics["accuracy"],
        errors=int(answers[0].wrong(test.y).sum()),
        auroc=result.measures["predictive_entropy"].metrics["auroc"],
        entropy_by_angle={angle: float(found.total.mean()) for angle, found in answers.items()},
    )


def evaluate_co2(model: Predictor) -> Co2Report:
    """Compare five and ten years beyond the data with weeks inside that chose nothing.

    Args:
        model: with its calibration.
    """
    year, ppm = co2_splits().test
    beyond = co2_series().year[-1] + np.array(YEARS_BEYOND, np.float32)[:, None]
    near, far = (model.predict(x, PASSES, SEED) for x in (year, beyond))
    median = float(np.median(np.sqrt(near.variance)))
    ratios = np.sqrt(far.variance[:, 0]) / median
    ends = near.measures["prediction_interval"]
    return Co2Report(
        median_inside=median,
        ratio_beyond=dict(zip(YEARS_BEYOND, ratios.tolist(), strict=True)),
        covered=float(inside(ends[..., 0], ends[..., 1], ppm).mean()),
        accepted=float(near.measures["accept"].mean()),
        accepted_beyond=dict(zip(YEARS_BEYOND, far.measures["accept"].tolist(), strict=True)),
    )


def plot_co2(model: Predictor, path: Path) -> None:
    """Mean and bands of one to three standard deviations (Gal & Ghahramani 2016, figure 2)."""
    year, ppm = co2_series()
    grid = np.linspace(year[0, 0] - 15, year[-1, 0] + 25, 400, dtype=np.float32)[:, None]
    prediction = model.predict(grid, PASSES // 2, SEED)
    mean, std = prediction.mean[:, 0], np.sqrt(prediction.variance[:, 0])
    figure, axes = plt.subplots(figsize=(9, 4.5), layout="constrained")
    for width in (3, 2, 1):
        axes.fill_between(
            grid[:, 0], mean - width * std, mean + width * std, color="tab:blue", alpha=0.18, lw=0
        )
    axes.plot(grid[:, 0], mean, color="tab:blue", label="mean of the passes, ±1, 2, 3 std")
    axes.plot(year[:, 0], ppm[:, 0], ",", color="black", label="weekly measurements")
    axes.axvspan(year[0, 0], year[-1, 0], color="tab:gray", alpha=0.1, label="training range")
    axes.set(xlabel="year", ylabel="CO₂ over Mauna Loa (ppm)", xlim=(grid[0, 0], grid[-1, 0]))
    axes.set_title("co2: the uncertainty grows away from the data")
    axes.legend(loc="upper left")
    figure.savefig(path, dpi=110)


def plot_rotation(model: Predictor, path: Path) -> None:
    """Uncertainty and errors over rotation, on the whole test split (after figure 4, ibid.)."""
    _, test = digits_splits()
    angles = list(range(0, 181, 15))
    aleatoric, epistemic, wrong = [], [], []
    for angle in angles:
        answer = uncertainty(model, rotated(test.x, angle))
        epistemic.append(answer.epistemic.mean())
        aleatoric.append(answer.total.mean() - epistemic[-1])
        wrong.append(answer.wrong(test.y).mean())
    figure, left = plt.subplots(figsize=(9, 4.2), layout="constrained")
    left.stackplot(
        angles,
        aleatoric,
        epistemic,
        labels=("expected entropy: aleatoric", "mutual information: epistemic"),
        colors=("#56B4E9", "#0072B2"),
    )
    left.set(xlabel="degrees", ylabel="mean entropy (nats)", xticks=angles, xlim=(0, 180))
    right = left.twinx()
    right.plot(angles, wrong, "o--", color="#D55E00", label="share of wrong answers (right)")
    right.set_ylim(0, 1)
    left.set_title("digits: 450 test images, rotated")
    figure.legend(loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(
    figures: Annotated[Path | None, typer.Option(help="Folder to draw the figures into.")] = None,
) -> None:
    """Print and draw how well the uncertainty of the demo models indicates errors."""
    digits_model, co2_model = demo_model("digits"), demo_model("co2")
    digits, co2 = evaluate_digits(digits_model), evaluate_co2(load_model(_file("co2")))
    table = Table("model", "what", "value", title=f"{PASSES} passes, seed {SEED}")
    table.add_row("digits", "accuracy of the mean on 450 test images", _said(digits.accuracy, 4))
    table.add_row("", f"AUROC of entropy for its {digits.errors} errors", _said(digits.auroc, 3))
    for angle, value in digits.entropy_by_angle.items():
        table.add_row("", f"mean entropy at {angle}° (nats)", f"{value:.3f}")
    table.add_row("co2", "median std inside the data (ppm)", f"{co2.median_inside:.3f}")
    for years, ratio in co2.ratio_beyond.items():
        table.add_row("", f"std {years} years beyond, against that", f"{ratio:.2f}")
    table.add_row("", "coverage of its 90 % intervals on test weeks", f"{co2.covered:.3f}")
    beyond = (f"{done} {years} years beyond" for years, done in co2.accepted_beyond.items())
    table.add_row("", "accepted test weeks", ", ".join((f"{co2.accepted:.3f}", *beyond)))
    Console().print(table)
    if figures:
        figures.mkdir(parents=True, exist_ok=True)
        plot_co2(co2_model, figures / "co2.png")
        plot_rotation(digits_model, figures / "rotation.png")


if __name__ == "__main__":
    typer.run(main)
