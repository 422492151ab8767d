"""The export refuses what a server would refuse, and leaves no file."""

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
from tests.models.export.refusals import Custom, refused

GROUPS = 4


class Masksembles(layers.Layer):
    """Fixed masks (Durasov et al. 2021); a row's mask depends on its position in the batch."""

    def call(self, inputs: Any) -> Any:
        masks = tf.constant(np.random.default_rng(0).integers(0, 2, (GROUPS, 6)), inputs.dtype)
        groups = tf.reshape(inputs, (GROUPS, -1, 6)) * masks[:, None]
        return tf.reshape(groups, (-1, 6))


def beside_dropout(layer: layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((6,)), layer, layers.Dropout(0.5), layers.Dense(2)])


class Centered(layers.Layer):
    """Subtracts the mean of the batch."""

    def call(self, inputs: Any) -> Any:
        return inputs - tf.reduce_mean(inputs, axis=0, keepdims=True)


@pytest.mark.parametrize("layer", [Masksembles, Centered])
def test_model_that_mixes_rows_is_refused_at_export(
    layer: Callable[[], layers.Layer], tmp_path: Path
) -> None:
    example = np.random.default_rng(1).normal(size=(8, 6))
    found = refused(beside_dropout(layer()), tmp_path / "model.onnx", example=example)
    assert "fails load-time verification" in found or "its rows are not independent" in found


class MaskedMean(layers.Layer):
    """The mean of the steps that are not padding; 0/0 for padding only, in Keras as well."""

    def __init__(self) -> None:
        super().__init__()
        self.supports_masking = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        return None

    def call(self, inputs: Any, mask: Any = None) -> Any:
        weights = tf.cast(mask, inputs.dtype)[..., None]
        return tf.reduce_sum(inputs * weights, axis=1) / tf.reduce_sum(weights, axis=1)


@pytest.mark.parametrize("with_example", [False, True])
def test_rows_of_padding_only_which_are_nan_in_keras_are_accepted(
    with_example: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = keras.Input((2,), dtype="int32", name="words")
    steps = layers.Embedding(9, 4, mask_zero=True)(words)
    model = keras.Model(words, layers.Dense(2)(layers.Dropout(0.5)(MaskedMean()(steps))))
    rows = np.array([[3, 0], [5, 8], [7, 2]])
    path = tmp_path / "model.onnx"
    export_model(model, path, task="other", example=rows if with_example else None)
    assert ("NaN in Keras" in caplog.text) is not with_example
    assert np.isfinite(load_model(path).predict(rows, passes=10).variance).all()


def test_noise_of_shape_one_and_a_custom_layer_load(tmp_path: Path) -> None:
    own = Custom(lambda x: x * tf.cast(tf.random.uniform((1, 1)) < 0.9, x.dtype), name="own")
    export_model(beside_dropout(own), tmp_path / "model.onnx", task="other")
