"""Randomness that TensorFlow does not see is refused with its layer, even beside a Dropout."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from models.export import export_model
from models.export.source import fingerprint
from scripts.supported_models.training_argument import EXAMPLE
from tests.models.export.refusals import Custom, refused

rng, coin = np.random.default_rng(7), random.Random(7)


def numpy_mask(x: Any) -> Any:
    return x * tf.constant(rng.random(x.shape[-1]) > 0.5, x.dtype) * 2.0


def python_mask(x: Any) -> Any:
    return tf.py_function(lambda y: y * (rng.random(y.shape) > 0.5), [x], x.dtype)


def layer_drop(x: Any) -> Any:
    return x if coin.random() < 0.5 else 2.0 * x


class Stack(keras.Model):
    """LayerDrop: Python's random decides whether a layer is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.block, self.drop = layers.Dense(6), layers.Dropout(0.5)
        self.head = layers.Dense(2)

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not training or coin.random() > 0.3:
            inputs = self.block(inputs)
        return self.head(self.drop(inputs, training=training))


def beside_dropout(*hidden: keras.layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((6,)), *hidden, layers.Dropout(0.5), layers.Dense(2)])


def noise(x: Any) -> Any:
    return x + float(rng.normal())


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (
            lambda: beside_dropout(Custom(numpy_mask, name="own")),
            "layer 'own' gives different outputs",
        ),
        (
            lambda: beside_dropout(Custom(layer_drop, name="own")),
            "layer 'own' gives different outputs",
        ),
        (
            lambda: beside_dropout(Custom(python_mask, name="own")),
            "'own' runs Python code",
        ),
        (
            lambda: beside_dropout(layers.Lambda(noise, name="own")),
            "layer 'own' gives different outputs",
        ),
        (
            lambda: beside_dropout(layers.Dense(6, noise, name="own")),
            "layer 'own' gives different outputs",
        ),
        (
            lambda: beside_dropout(
                keras.Sequential([Custom(numpy_mask, name="own"), layers.Dense(6)], name="inner"),
                layers.BatchNormalization(),
            ),
            "layer 'inner/own' gives different outputs",
        ),
        (Stack, "model 'stack"),
    ],
)
def test_python_randomness_is_refused_with_its_layer(
    build: Callable[[], keras.Model], named: str, tmp_path: Path
) -> None:
    found = refused(build(), tmp_path / "model.onnx", example=EXAMPLE)
    assert named in found
    assert "own" in found or "stack" in found


class Moving(layers.Layer):
    """A custom normalization that updates its statistics in training."""

    def build(self, shape: Any) -> None:
        self.seen = self.add_weight(shape=shape[1:], initializer="zeros", trainable=False)

    def call(self, inputs: Any, training: Any = None) -> Any:
        if training:
            self.seen.assign(0.9 * self.seen + 0.1 * tf.reduce_mean(inputs, axis=0))
        return inputs - self.seen


def test_statistics_updated_in_training_are_not_hidden_draws_and_are_kept(tmp_path: Path) -> None:
    model = beside_dropout(Moving())
    before = fingerprint(model)
    export_model(model, tmp_path / "model.onnx", task="other", example=EXAMPLE)
    assert fingerprint(model) == before
