"""Layers whose draws are composed of uniform numbers have the expected variance."""

import math
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.export import export_model
from service import load_model
from service.errors import ExportError
from tests.conftest import SIGMAS
from tests.models.export.refusals import Custom


def one_hot(x: Any, classes: Any) -> Any:
    return x * tf.one_hot(classes[:, 0], 4)


#: Layers with composed draws, and the variance of their output for an input of ones.
DRAWN: dict[str, tuple[Callable[[Any], Any], float]] = {
    "keras truncated_normal": (
        lambda x: x + keras.random.truncated_normal(tf.shape(x)),
        1 - 4 * NormalDist().pdf(2) / math.erf(math.sqrt(2)),
    ),
    "tf truncated_normal": (
        lambda x: x * tf.random.truncated_normal(tf.shape(x), stddev=2.0),
        4 * (1 - 4 * NormalDist().pdf(2) / math.erf(math.sqrt(2))),
    ),
    "keras randint": (
        lambda x: x + tf.cast(keras.random.randint(tf.shape(x), 0, 3), x.dtype),
        2 / 3,
    ),
    "tf uniform of integers": (
        lambda x: x + tf.cast(tf.random.uniform(tf.shape(x), 0, 3, tf.int64), x.dtype),
        2 / 3,
    ),
    "keras categorical": (
        lambda x: one_hot(x, keras.random.categorical(tf.zeros_like(x), 1)),
        0.25 * 0.75,
    ),
    "tf categorical of constants, for the whole pass": (
        lambda x: x * tf.one_hot(tf.random.categorical(tf.zeros([1, 4]), 1)[0, 0], 4),
        0.25 * 0.75,
    ),
    "keras binomial": (
        lambda x: x * keras.random.binomial(tf.shape(x), 3.0, 0.5),
        0.75,
    ),
    "tf Generator binomial": (
        lambda x: (
            x * tf.cast(tf.random.get_global_generator().binomial(tf.shape(x), 3.0, 0.5), x.dtype)
        ),
        0.75,
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_layer_with_composed_draws_has_their_variance(name: str, tmp_path: Path) -> None:
    in_training, variance = DRAWN[name]
    model = keras.Sequential([keras.Input((4,)), Custom(in_training)])
    export_model(model, tmp_path / "model.onnx", task="other")
    passes = 20_000
    found = load_model(tmp_path / "model.onnx").predict(np.ones((1, 4)), passes=passes, seed=1)
    # The largest kurtosis is that of one class of four, 7/3.
    error = SIGMAS * variance * math.sqrt(2 / passes)
    np.testing.assert_allclose(found.variance, variance, atol=error)


@pytest.mark.parametrize(
    ("in_training", "message"),
    [
        (
            lambda x: x + tf.cast(keras.random.randint(tf.shape(x), 0, 70_000), x.dtype),
            "layer 'own' draws one of 70000 integers; at most 65536 are supported",
        ),
        (
            lambda x: x * keras.random.binomial(tf.shape(x), 100.0, 0.5),
            "layer 'own' draws binomial numbers of 100 trials; only .* at most 64",
        ),
        (
            lambda x: keras.random.binomial(tf.shape(x), tf.abs(x), 0.5),
            "layer 'own' draws binomial numbers of counts that are computed",
        ),
    ],
)
def test_draws_beyond_the_limits_are_refused(
    in_training: Callable[[Any], Any], message: str, tmp_path: Path
) -> None:
    model = keras.Sequential([keras.Input((4,)), Custom(in_training, name="own")])
    with pytest.raises(ExportError, match=message):
        export_model(model, tmp_path / "model.onnx", task="other")
