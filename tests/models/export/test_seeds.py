"""Dropouts with the same seed draw alike in Keras and independently here; the export says so."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from models.export import export_model
from service import load_model
from tests.conftest import SIGMAS
from tests.models.export.refusals import Custom

PASSES = 8000


def test_dropouts_with_the_same_seed_are_independent_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """y = Σ (mᵢ + nᵢ): equal masks would have twice the variance of independent ones."""
    x = keras.Input((4,))
    one, two = layers.Dropout(0.5, seed=7, name="one"), layers.Dropout(0.5, seed=7, name="two")
    other = layers.Dropout(0.5, seed=8, name="other")
    model = keras.Model(x, [layers.Add()([one(x), two(x)]), other(x)])
    sum_of_equals = model(np.ones((1, 4)), training=True)[0].numpy()
    assert set(np.unique(sum_of_equals)) <= {0.0, 4.0}  # one mask, in Keras
    manifest = export_model(model, tmp_path / "model.onnx", task="other")
    assert manifest.same_seed == (("one", "two"),)
    assert "Keras draws one and two with the same seed, and so alike" in caplog.text
    found = load_model(tmp_path / "model.onnx").predict(np.ones((1, 4)), passes=PASSES, seed=1)
    variance = found[manifest.outputs[0].name].variance
    assert (np.abs(variance - 2.0) < SIGMAS * 2.0 * np.sqrt(2 / PASSES)).all()


def test_layer_called_twice_continues_its_draws_and_is_not_named(tmp_path: Path) -> None:
    x = keras.Input((4,))
    drop = layers.Dropout(0.5, seed=7)
    model = keras.Model(x, layers.Add()([drop(x), drop(x), layers.Dropout(0.5)(x)]))
    assert export_model(model, tmp_path / "model.onnx", task="other").same_seed == ()


def test_plain_number_as_seed_is_named(tmp_path: Path) -> None:
    def in_training(inputs: Any) -> Any:
        return keras.random.dropout(inputs, 0.5, seed=3)

    own = Custom(in_training, name="own")
    model = keras.Sequential([keras.Input((4,)), own, layers.Dropout(0.5), layers.Dense(2)])
    assert export_model(model, tmp_path / "model.onnx", task="other").same_seed == (("own",),)
