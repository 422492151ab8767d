"""Draws that are made of uniform numbers have the distributions of TensorFlow's own."""

import math
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.export import distributions, export_model
from service import load_model
from service.errors import ExportError
from tests.conftest import SIGMAS
from tests.models.export.test_exporter import Custom

N = 1 << 16
GRID = (np.arange(N, dtype=np.float32) + 0.5) / N


def grid(shape: Any, dtype: Any) -> Any:
    """In place of uniform numbers, those at equal distances: the moments are then exact."""
    return tf.cast(tf.reshape(GRID, shape), dtype)


def test_truncated_normal_is_the_inverse_of_its_distribution_function() -> None:
    found = distributions.truncated_normal(grid, [N], tf.float32).numpy().astype(np.float64)
    normal = NormalDist()
    low, high = normal.cdf(-2), normal.cdf(2)
    some = slice(None, None, 97)
    wanted = [normal.inv_cdf(low + float(u) * (high - low)) for u in GRID[some]]
    np.testing.assert_allclose(found[some], wanted, rtol=1e-6, atol=1e-6)
    variance = 1 - 4 * normal.pdf(2) / (high - low)
    assert found.std() == pytest.approx(math.sqrt(variance), rel=1e-4)
    ends = distributions.truncated_normal(lambda *_: tf.constant([0.0, 1 - 2**-24]), [2], "float16")
    assert ends.dtype == tf.float16
    np.testing.assert_allclose(np.abs(ends), 2, rtol=1e-3)


@pytest.mark.parametrize(("low", "high"), [(0, 2), (-3, 4), (5, 6), (0, 65_536)])
def test_each_integer_is_as_likely(low: int, high: int) -> None:
    found = distributions.integers(grid, [N], tf.constant(low), tf.constant(high))
    values, counts = np.unique(found, return_counts=True)
    np.testing.assert_array_equal(values, np.arange(low, high))
    assert np.ptp(counts) <= 1


def test_no_integer_is_beyond_the_last() -> None:
    for span in (1, 3, 7, 1000, 65_535, 65_536):
        last = distributions.integers(
            lambda *_: tf.constant(1 - 2**-24), [], tf.constant(0), tf.constant(span)
        )
        assert last == span - 1


def test_classes_come_as_often_as_their_probabilities_say() -> None:
    logits = tf.math.log([[0.5, 0.0, 0.3, 0.2, 0.0]])
    found = distributions.categorical(grid, logits, N, tf.int64)
    shares = np.bincount(found[0], minlength=5) / N
    np.testing.assert_allclose(shares, [0.5, 0.0, 0.3, 0.2, 0.0], atol=2 / N)


def test_binomial_numbers_are_sums_of_trials() -> None:
    numbers = tf.random.stateless_uniform([N, 5], [1, 2])
    counts, probs = tf.constant([5.0]), tf.constant([0.3])
    found = distributions.binomial(lambda *_: numbers, [N], counts, probs, tf.float32).numpy()
    shares = np.bincount(found.astype(int), minlength=6) / N
    wanted = np.array([math.comb(5, k) * 0.3**k * 0.7 ** (5 - k) for k in range(6)])
    assert (np.abs(shares - wanted) < SIGMAS * np.sqrt(wanted / N)).all()
    counts = tf.constant([5.0, 2.0])  # trials beyond a count do not count
    fewer = distributions.binomial(lambda *_: numbers[:, None], [N, 2], counts, probs, tf.int32)
    np.testing.assert_array_equal(fewer.numpy().max(axis=0), [5, 2])


def one_hot(x: Any, classes: Any) -> Any:
    return x * tf.one_hot(classes[:, 0], 4)


#: A layer that draws so in training, and the variance of its output for an input of ones.
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
def test_a_layer_that_draws_so_is_served_with_its_variance(name: str, tmp_path: Path) -> None:
    in_training, variance = DRAWN[name]
    model = keras.Sequential([keras.Input((4,)), Custom(in_training)])
    export_model(model, tmp_path / "model.onnx", task="other")
    passes = 20_000
    found = load_model(tmp_path / "model.onnx").predict(np.ones((1, 4)), passes=passes, seed=1)
    # No draw here has a kurtosis above that of one class of four, 7/3.
    error = SIGMAS * variance * math.sqrt(2 / passes)
    np.testing.assert_allclose(found.variance, variance, atol=error)


@pytest.mark.parametrize(
    ("in_training", "message"),
    [
        (
            lambda x: x + tf.cast(keras.random.randint(tf.shape(x), 0, 70_000), x.dtype),
            "layer 'own' draws one of 70000 integers, and may draw one of 65536",
        ),
        (
            lambda x: x * keras.random.binomial(tf.shape(x), 100.0, 0.5),
            "layer 'own' draws binomial numbers of 100 trials, and may .* at most 64",
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
