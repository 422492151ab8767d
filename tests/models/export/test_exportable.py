"""Models that no file could represent are refused, and the error says what to change."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
from keras import layers

from scripts.supported_models.sequences import DroppingCell
from tests.models.export.refusals import Custom, refused


def test_other_objects_than_models_are_refused(tmp_path: Path) -> None:
    assert "is not a Keras model" in refused("model.keras", tmp_path / "model.onnx")


def test_model_without_dropout_is_refused_with_the_remedy(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    message = refused(model, tmp_path / "model.onnx")
    assert "has no dropout" in message
    assert "Add keras.layers.Dropout(0.1)" in message


def test_dropout_of_rate_zero_is_not_a_dropout(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dropout(0.0), layers.Dense(2)])
    assert "has no dropout" in refused(model, tmp_path / "model.onnx")


def test_dropout_of_rate_one_draws_nothing(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dropout(1.0), layers.Dense(2)])
    assert "has no dropout" in refused(model, tmp_path / "model.onnx")


def test_model_without_known_inputs_is_refused(tmp_path: Path) -> None:
    model = keras.Sequential([layers.Dense(2), layers.Dropout(0.5)])
    assert "needs a keras.Input as its first layer" in refused(model, tmp_path / "model.onnx")


def map_over_rows(x: Any) -> Any:
    return tf.map_fn(lambda one: tf.nn.dropout(one, 0.5), x)


@pytest.mark.parametrize(
    ("in_training", "message"),
    [
        (lambda x: x * keras.random.gamma(tf.shape(x), 2.0), "StatelessRandomGamma"),
        (lambda x: x * tf.random.gamma(tf.shape(x), 2.0), "RandomGamma"),
        (lambda x: x * tf.random.poisson((), x), "RandomPoisson"),
        (lambda x: tf.random.shuffle(x), "RandomShuffle"),
        (
            lambda x: tf.nn.dropout(x, 1e-9),
            "layer 'own' has the dropout rate 1e-09, which cannot be",
        ),
        (map_over_rows, "layer 'own' draws random numbers inside a loop"),
        (
            lambda x: tf.nn.dropout(x, tf.reduce_mean(x)),
            "has a dropout rate that depends on the rows",
        ),
        (
            lambda x: tf.cond(x[0, 0] > 0, lambda: tf.nn.dropout(x, 0.5), lambda: x),
            "layer 'own' draws random numbers inside a loop or a branch",
        ),
        (
            lambda x: x + tf.nn.dropout(x @ tf.transpose(x), 0.5) @ x,
            "of shape (2, 2) for two rows and (3, 3) for three",
        ),
    ],
)
def test_randomness_that_cannot_be_exported_is_refused_with_its_layer(
    in_training: Callable[[Any], Any], message: str, tmp_path: Path
) -> None:
    own = Custom(in_training, name="own")
    model = keras.Sequential([keras.Input((4,)), own, layers.Dropout(0.5), layers.Dense(2)])
    found = refused(model, tmp_path / "model.onnx")
    assert message in found
    assert "own" in found
    assert "Exception encountered" not in found


@pytest.mark.parametrize("steps", [None, 65])
def test_cell_with_draws_on_many_or_unknown_steps_is_refused(
    steps: int | None, tmp_path: Path
) -> None:
    model = keras.Sequential([keras.Input((steps, 3)), layers.RNN(DroppingCell(5), name="own")])
    found = refused(model, tmp_path / "model.onnx")
    assert "on a sequence of unknown length or more than 64 steps" in found
    assert "layer 'own/dropping_cell/dropout' draws" in found


def test_time_distributed_dropout_on_an_unknown_length_is_refused(tmp_path: Path) -> None:
    steps = layers.TimeDistributed(layers.Dropout(0.3), name="steps")
    model = keras.Sequential([keras.Input((None, 3)), steps, layers.Dense(1)])
    found = refused(model, tmp_path / "model.onnx")
    assert "layer 'steps' draws random numbers for each step of a sequence of unknown" in found


def test_a_draw_that_cannot_be_switched_off_is_refused(tmp_path: Path) -> None:
    noisy = layers.Lambda(lambda x: x * tf.random.uniform(tf.shape(x)), name="noisy")
    model = keras.Sequential([keras.Input((4,)), noisy, layers.Dense(2)])
    found = refused(model, tmp_path / "model.onnx")
    assert "layer 'noisy' draws uniform random numbers even with training=False" in found
    assert "only `if training:`" in found


def test_a_boolean_input_that_switches_dropout_is_recognized(tmp_path: Path) -> None:
    class Switched(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.drop = layers.Dropout(0.5)

        def call(self, inputs: Any, switch: Any) -> Any:
            return self.drop(inputs, training=switch)

        def compute_output_spec(self, inputs: Any, switch: Any) -> Any:
            return keras.KerasTensor(inputs.shape, inputs.dtype)

    x, switch = keras.Input((4,)), keras.Input((), dtype="bool", name="switch")
    model = keras.Model([x, switch], Switched()(x, switch))
    found = refused(model, tmp_path / "model.onnx")
    assert "a tensor decides what Python code runs" in found
    assert "remove that input" in found


def test_bool_input_named_training_is_refused(tmp_path: Path) -> None:
    x, flag = keras.Input((4,)), keras.Input((4,), dtype="bool", name="training")
    model = keras.Model([x, flag], layers.Dropout(0.5)(keras.ops.where(flag, x, 0.0)))
    message = refused(model, tmp_path / "model.onnx")
    assert "has a bool input named 'training'" in message
