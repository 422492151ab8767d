"""The demo models with calibrations made by hand."""

import json
import shutil
from pathlib import Path
from typing import Any

from service.graph.beside import model_sha256
from tests.conftest import STORE
from tests.service.calibration.documents import fields

#: Differences from the document of a classification.
OF_CO2: dict[str, Any] = {
    "temperature": None,
    "sets": [],
    "noise_precision": 4.0,
    "intervals": [
        {"method": "normalized", "coverage": 0.9, "threshold": 1.5},
        {"method": "absolute", "coverage": 0.5, "threshold": 0.4},
        {"method": "cqr", "coverage": 0.8, "threshold": [0.1, 0.2]},
    ],
    "selection": {
        "measure": "std",
        "threshold": 1.0,
        "keep": "at_most",
        "coverage": 0.95,
        "guarantee": "95 % of the rows are accepted",
    },
    "reference": {"std": {"edges": [0.5, 1.0], "counts": [20, 70, 10]}},
}
_MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "digits": ("classification", "probabilities", {}),
    "co2": ("regression", "ppm", OF_CO2),
}


def save_calibrated(
    folder: Path, name: str = "digits", as_name: str | None = None, **changed: Any
) -> Path:
    """A demo model with a calibration, as version 1 in a folder of models; returns its file."""
    place = folder / (as_name or name) / "1"
    place.mkdir(parents=True)
    path = place / "model.onnx"
    shutil.copy(STORE / name / "1" / "model.onnx", path)
    calibrate(path, name, **changed)
    return path


def calibrate(path: Path, name: str = "digits", **changed: Any) -> None:
    """Write the calibration of a demo model beside its file."""
    task, output, own = _MODELS[name]
    model = {"sha256": model_sha256(path), "task": task, "outputs": [output]}
    said = fields(**{"model": model, "output": output, **own, **changed})
    path.with_name("calibration.json").write_text(json.dumps(said))
