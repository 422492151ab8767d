"""An LSTM becomes ONNX's operator where that is equivalent, with Keras' statistics."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from keras import layers

from models.export import export_model
from service import load_model
from tests.conftest import SIGMAS

ROW = np.random.default_rng(0).normal(size=(1, 6, 3)).astype(np.float32)


def around(layer: Any) -> keras.Model:
    """The layer between an input and a head; its weights are large but do not saturate."""
    model = keras.Sequential(
        [keras.Input((6, 3)), layer, layers.Flatten(), layers.Dropout(0.2), layers.Dense(2)]
    )
    rng = np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(0.5 * rng.normal(size=variable.shape))
    return model


def encoder_decoder() -> keras.Model:
    x = keras.Input((6, 3))
    _, *states = layers.LSTM(4, return_state=True, dropout=0.2)(x)
    y = layers.LSTM(4, return_sequences=True)(layers.RepeatVector(3)(states[0]), states)
    return keras.Model(x, layers.Dense(2)(y))


def any_length() -> keras.Model:
    x = keras.Input((None, 3))
    y = layers.GRU(3, dropout=0.1)(layers.LSTM(4, dropout=0.2, return_sequences=True)(x))
    return keras.Model(x, layers.Dense(2)(y))


def operators(path: Path) -> set[str]:
    return {node.op_type for node in onnx.load(path).graph.node}


@pytest.mark.parametrize(
    ("build", "wanted"),
    [
        (lambda: around(layers.LSTM(5, dropout=0.3, return_sequences=True)), {"LSTM"}),
        (lambda: around(layers.LSTM(5, dropout=0.3, go_backwards=True)), {"LSTM"}),
        (lambda: around(layers.Bidirectional(layers.LSTM(5, return_sequences=True))), {"LSTM"}),
        (lambda: around(layers.LSTM(5, dropout=0.3, use_bias=False)), {"LSTM"}),
        (encoder_decoder, {"LSTM"}),
        (any_length, {"LSTM", "Loop"}),
        # What ONNX's operator lacks remains a loop over the cell.
        (lambda: around(layers.LSTM(5, dropout=0.3, activation="relu")), {"Loop"}),
        (lambda: around(layers.LSTM(5, dropout=0.3, recurrent_dropout=0.1)), {"Loop"}),
    ],
)
def test_recurrent_layer_is_one_operator(
    build: Callable[[], keras.Model], wanted: set[str], tmp_path: Path
) -> None:
    model, path = build(), tmp_path / "model.onnx"
    before = [layer.supports_jit for layer in model.layers]
    export_model(model, path, task="other")  # its checks compare it with Keras
    assert [layer.supports_jit for layer in model.layers] == before
    assert operators(path) & {"Loop", "LSTM", "GRU"} == wanted
    rows = np.repeat(ROW, 3, axis=0) + np.arange(3, dtype=np.float32)[:, None, None]
    (off,) = load_model(path).predict_deterministic(rows).values()
    np.testing.assert_allclose(off, model(rows), rtol=1e-5, atol=1e-5)


def test_masked_layer_remains_a_loop(tmp_path: Path) -> None:
    steps = [layers.Embedding(9, 3, mask_zero=True), layers.LSTM(4, dropout=0.3), layers.Dense(2)]
    model, path = keras.Sequential([keras.Input((6,), dtype="int32"), *steps]), tmp_path / "m.onnx"
    export_model(model, path, task="other")
    assert operators(path) & {"Loop", "LSTM"} == {"Loop"}
    rows = np.array([[1, 2, 0, 0, 0, 0], [0, 0, 3, 0, 4, 5]], np.int32)
    (off,) = load_model(path).predict_deterministic(rows).values()
    np.testing.assert_allclose(off, model(rows), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU])
def test_means_and_variances_equal_keras(kind: Any, tmp_path: Path) -> None:
    """As in Keras, one mask per pass applies to the inputs of all steps."""
    passes, path = 20_000, tmp_path / "model.onnx"
    model = around(layers.Bidirectional(kind(4, dropout=0.4, return_sequences=True)))
    export_model(model, path, task="other")
    found = load_model(path).predict(ROW, passes=passes, seed=1)
    run = tf.function(lambda rows: model(rows, training=True))
    keras.utils.set_random_seed(1)
    samples = run(np.repeat(ROW, passes, axis=0)).numpy().astype(np.float64)
    variance = samples.var(axis=0, ddof=1)
    fourth = ((samples - samples.mean(axis=0)) ** 4).mean(axis=0)
    for mine, theirs, spread in (
        (found.mean[0], samples.mean(axis=0), variance),
        (found.variance[0], variance, fourth - variance**2),
    ):
        assert (np.abs(mine - theirs) < SIGMAS * np.sqrt(2 * spread / passes)).all()
