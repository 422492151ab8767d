"""Every row of the table of supported models is exported, and then sampled by the server."""

from pathlib import Path

import keras
import numpy as np
import pytest

from models.export import export_model
from scripts.supported_models import ROWS, Row, largest_difference
from service import load_model

CASES = [
    pytest.param(row, id=f"{group}: {row.name}", marks=[pytest.mark.slow] if row.slow else [])
    for group, rows in ROWS.items()
    for row in rows
]


@pytest.mark.parametrize("row", CASES)
def test_supported_model_is_exported_and_sampled(row: Row, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    # The export checks outputs, rates, noise and variation, and that every site is active.
    manifest = export_model(row.build(), path, task="other", example=row.example)
    assert len(manifest.sites) == row.sites
    names = [path.split("/")[-1].rstrip("_0123456789") for path in manifest.kept_off]
    assert tuple(names) == row.kept_off
    half = "float16" in row.name and "bfloat16" not in row.name
    assert largest_difference(manifest) <= (5e-3 if half else 1e-5)
    # The server verifies it at load time, and samples its rows with different draws.
    model = load_model(path)
    rng = np.random.default_rng(1)
    rows = {
        spec.name: np.array([spec.example, spec.example], object)
        if spec.dtype == "string"
        else rng.integers(0, 2, (2, *(size or 32 for size in spec.shape[1:])))
        if "int" in spec.dtype
        else rng.normal(size=(2, *(size or 32 for size in spec.shape[1:])))
        for spec in manifest.inputs
    }
    prediction = model.predict(rows, passes=20, seed=1)
    for output in manifest.outputs:
        assert (prediction[output.name].variance.max(axis=-1) > 0).any() == output.stochastic
    keras.utils.clear_session()
