"""Calibrates a model file with arrays."""

from pathlib import Path
from typing import Any

from service.evaluation.data import labeled
from service.evaluation.runs import Progress
from service.fitting.asked import Asked
from service.fitting.fit import Outcome, fit
from service.inference.load import load_uncalibrated


def calibrate(
    file: str | Path,
    x: Any,
    y: Any,
    *,
    name: str = "data",
    output: str | None = None,
    progress: Progress | None = None,
    **asked: Any,
) -> Outcome:
    """Fit the calibration of a model.

    `calibrate(file, x, y).save()` writes it beside the model, where a server and `load_model` find
    it. The rows must not be those that the model was trained with, nor those that it will be
    evaluated with.

    Args:
        file: a model.onnx.
        x, y, output: see `labeled`.
        name: of the data, for people.
        progress: see `Progress`.
        asked: see `Asked`, for example `target_risk=0.01`.

    Raises:
        InputError: rows, targets or what is asked for do not suit the model, or the rows are too
            few; with what would be right.
        FittingError: no threshold reaches the target risk.
        ModelError: the model cannot be loaded.
    """
    path, wanted = Path(file), Asked(**asked)
    model = load_uncalibrated(path)
    data = labeled(model, x, y, name, output=output)
    return fit(path, model, data, wanted, progress)
