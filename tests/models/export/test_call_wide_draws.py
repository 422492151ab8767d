"""A draw that all rows of a call share has a closed form.

y = f Σ wᵢ xᵢ mᵢ/(1-p), with one f per call, E f = 1 and E f² = 2. With mean μ and variance V
of the sum, Var y = 2 (V + μ²) - μ².
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from models.export import export_model
from service import load_model
from tests.conftest import SIGMAS
from tests.models.export.refusals import Custom

RATE, PASSES = 0.3, 8000
rng = np.random.default_rng(3)
W, X = rng.normal(size=(6, 1)).astype(np.float32), rng.normal(size=(2, 6)).astype(np.float32)


@pytest.mark.parametrize(
    "factor",
    [
        lambda x: 1 + keras.random.normal((1,))[0],
        lambda x: 1 + tf.random.normal((tf.shape(x)[0], 1))[0],
        lambda x: 1 + tf.reduce_sum(tf.random.normal((1, 2, 3))[0], keepdims=True) / 6**0.5,
        lambda x: tf.nn.dropout(tf.ones_like(x), 0.5, noise_shape=(1, 1)),
        lambda x: 2 * tf.cast(tf.random.uniform((1, 1)) < 0.5, x.dtype),
    ],
)
def test_draw_shared_by_all_rows_has_its_closed_form(
    factor: Callable[[Any], Any], tmp_path: Path
) -> None:
    own, dense = Custom(lambda x: x * factor(x), name="own"), layers.Dense(1, use_bias=False)
    model = keras.Sequential([keras.Input((6,)), own, layers.Dropout(RATE), dense])
    dense.set_weights([W])
    export_model(model, tmp_path / "model.onnx", task="other")
    predictor = load_model(tmp_path / "model.onnx")
    (spec,) = predictor.manifest.inputs
    found = predictor.predict({spec.name: X}, passes=PASSES, seed=1)
    mean, variance = X @ W, RATE / (1 - RATE) * (X**2 @ W**2)
    wanted = 2 * (variance + mean**2) - mean**2
    assert (np.abs(found.mean - mean) < SIGMAS * np.sqrt(wanted / PASSES)).all()
    # The products' kurtosis is below 20.
    assert (np.abs(found.variance / wanted - 1) < SIGMAS * np.sqrt(19 / PASSES)).all()
