"""With training on, passes of the server have the distribution of `model(x, training=True)`.

Means and variances of samples from both are compared; they may differ by six standard errors of
the difference, which chance exceeds about once in 5e8. A variance's standard error comes from
the fourth moment of Keras' samples.
"""

from pathlib import Path

import keras
import numpy as np
import pytest

from models.export import export_model
from scripts.supported_models import ROWS, Row
from service import load_model
from tests.conftest import SIGMAS

PASSES = 6000
#: Rows whose layers only draw in training; a normalization would also update its statistics.
GROUPS = (
    "Layers of your own",
    "Masks",
    "Always on",
    "Hard-coded training arguments",
    "Attention",
    "Noise",
    "Recurrent",
)
#: Excluded: with one draw for all rows of a call, Keras' tiled rows would all be the same pass;
#: and a second compilation of the unrolled loops would be slow without testing anything new.
LEFT_OUT = ("for all rows", "unrolled", "ConvLSTM2D")

CASES = [
    pytest.param(row, id=f"{group}: {row.name}")
    for group in GROUPS
    for row in ROWS[group]
    if not any(text in row.name for text in LEFT_OUT)
]


@pytest.mark.parametrize("row", CASES)
def test_passes_have_the_distribution_of_keras(row: Row, tmp_path: Path) -> None:
    model, path = row.build(), tmp_path / "model.onnx"
    manifest = export_model(model, path, task="other", example=row.example)
    (spec,) = manifest.inputs
    rng = np.random.default_rng(5)
    shape = (1, *(size or 6 for size in spec.shape[1:]))
    x = rng.normal(size=shape) if "float" in spec.dtype else rng.integers(1, 9, shape)
    x = x.astype(spec.dtype)
    ours = load_model(path).predict(x, passes=PASSES, seed=11)

    keras.utils.set_random_seed(12)
    samples = np.asarray(model(np.repeat(x, PASSES, axis=0), training=True), np.float64)
    mean, variance = samples.mean(axis=0), samples.var(axis=0, ddof=1)
    fourth = ((samples - mean) ** 4).mean(axis=0)
    rounding = 1e-6 * np.abs(samples).max()
    error = np.sqrt(2 * variance / PASSES) + rounding
    assert (np.abs(ours.mean[0] - mean) < SIGMAS * error).all()
    error = np.sqrt(2 * np.maximum(fourth - variance**2, 0) / PASSES) + rounding**2
    # A mask of few elements gives few distinct outputs, whose sampled fourth moment is imprecise.
    error += 2 * variance / PASSES
    assert (np.abs(ours.variance[0] - variance) < SIGMAS * error).all()
    assert (variance > 0).any()
