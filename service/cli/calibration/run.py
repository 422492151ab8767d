"""Fits a calibration with a progress bar."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from service.evaluation.data import Labeled, read_labeled
from service.fitting import Asked, Outcome
from service.fitting.fit import fit
from service.inference.load import load_uncalibrated
from service.inference.predictor import Predictor
from service.runtime.device import choose_device

#: Number of runs of half of the rows that a fitted rate scale takes, about.
_RUNS = 17


def run(
    file: Path,
    data: Path,
    asked: Asked,
    *,
    target: Sequence[str] = (),
    output: str | None = None,
    device: str = "cpu",
) -> Outcome:
    """Load a model and labeled data, and fit.

    Args:
        file: of the model.
        data, target, output: see `read_labeled`.
        asked: what to fit.
        device: see `choose_device`.

    Raises:
        MCDropoutError: see `service.fitting.calibrate`.
    """
    model = load_uncalibrated(file, choose_device(device).providers)
    labeled = read_labeled(data, model, target, output=output)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{len(labeled)} rows", total=_samples(model, labeled, asked))
        return fit(file, model, labeled, asked, lambda samples: bar.advance(task, samples))


def _samples(model: Predictor, data: Labeled, asked: Asked) -> float:
    """Number of samples that will run, about."""
    of_cqr = len(asked.coverages) if "cqr" in (asked.intervals or ()) else 0
    halves = 3 + asked.rate_scale * _RUNS + of_cqr
    return halves / 2 * len(data) * asked.options.max_passes(model.manifest.passes)
