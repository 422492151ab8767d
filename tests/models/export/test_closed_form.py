"""From the Keras model to the HTTP answer: mean and variance have their closed form.

For y = Σ wᵢ xᵢ mᵢ/(1-p) with keep-masks mᵢ, E y = Σ wᵢ xᵢ and
Var y = p/(1-p) Σ wᵢ² xᵢ². The tolerance is six standard errors, which
chance exceeds about once in 5e8.
"""

import math
from pathlib import Path

import httpx
import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

from models.export import export_model
from scripts.local_server import local_server
from tests.conftest import SIGMAS

PASSES = 20_000
RATE = 0.3
UNITS = 12
rng = np.random.default_rng(2016)
W = rng.normal(size=(UNITS, 2)).astype(np.float32)
X = rng.normal(size=(2, UNITS)).astype(np.float32)


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one linear model: dropout on its input, then fixed weights."""
    dense = layers.Dense(2, use_bias=False, name="y")
    model = keras.Sequential([keras.Input((UNITS,), name="x"), layers.Dropout(RATE), dense])
    dense.set_weights([W])
    store = tmp_path_factory.mktemp("store")
    export_model(model, store / "linear" / "1" / "model.onnx", task="regression")
    return store


def central_moments() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variance and fourth central moment of y, (2, 2) each, from sums of independent terms."""
    terms = X[:, :, None].astype(np.float64) * W  # (rows, units, outputs)
    low, high = -1.0, 1 / (1 - RATE) - 1  # the two values of a mask, minus its mean
    second = (RATE * low**2 + (1 - RATE) * high**2) * terms**2
    fourth = (RATE * low**4 + (1 - RATE) * high**4) * terms**4
    variance = second.sum(axis=1)
    return variance, (fourth - 3 * second**2).sum(axis=1) + 3 * variance**2


def test_mean_and_variance_over_http_match_the_closed_form(linear: Path) -> None:
    with local_server(linear) as server:
        body = {"instances": X.tolist(), "passes": PASSES, "seed": 7}
        answer = httpx.post(f"{server.url}/v1/models/linear:predict", json=body, timeout=60).json()
    mean = np.array([row["mean"] for row in answer["predictions"]])
    variance = np.array([row["variance"] for row in answer["predictions"]])

    wanted, fourth = central_moments()
    np.testing.assert_allclose(
        wanted, RATE / (1 - RATE) * (X.astype(np.float64) ** 2 @ W.astype(np.float64) ** 2)
    )
    error_of_mean = np.sqrt(wanted / PASSES)
    assert (np.abs(mean - X.astype(np.float64) @ W) < SIGMAS * error_of_mean).all()
    error_of_variance = np.sqrt((fourth - wanted**2 * (PASSES - 3) / (PASSES - 1)) / PASSES)
    assert (np.abs(variance - wanted) < SIGMAS * error_of_variance).all()
    # The test detects errors of 1 % of the standard deviation, and 3 % of the variance.
    assert (error_of_mean / np.sqrt(wanted)).max() < 0.01
    assert (error_of_variance / wanted).max() < 0.03


def test_dropout_on_several_layers_matches_keras_passes(tmp_path: Path) -> None:
    """After a nonlinearity there is no closed form; the reference is Keras in training mode."""
    from service import load_model

    model = keras.Sequential(
        [
            keras.Input((UNITS,)),
            layers.Dropout(0.2),
            layers.Dense(16, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(2),
        ]
    )
    model.layers[2].trainable = False  # keeps its normalization in inference mode
    export_model(model, tmp_path / "model.onnx", task="regression")
    ours = load_model(tmp_path / "model.onnx").predict(X[:1], passes=PASSES, seed=1)
    keras_samples = model(np.repeat(X[:1], PASSES, axis=0), training=True).numpy()
    mean, variance = keras_samples.mean(axis=0), keras_samples.var(axis=0, ddof=1)
    kurtosis = ((keras_samples - mean) ** 4).mean(axis=0) / variance**2
    error = np.sqrt(2 * variance / PASSES)
    assert (np.abs(ours.mean[0] - mean) < SIGMAS * error).all()
    error = variance * np.sqrt(2 * (kurtosis - 1) / PASSES)
    assert (np.abs(ours.variance[0] - variance) < SIGMAS * error).all()
    assert math.isfinite(error.max())


@pytest.mark.parametrize("scale", [0.5, 1.5])
def test_scaled_rates_equal_a_model_exported_with_them(tmp_path: Path, scale: float) -> None:
    """Weights and seed are the same, and therefore the samples."""
    from service import load_model

    def export(factor: float) -> Path:
        dense = [layers.Dense(UNITS, activation="relu"), layers.Dense(2)]
        rates = [RATE * factor, 0.5 * factor]
        model = keras.Sequential([keras.Input((UNITS,))])
        for rate, layer in zip(rates, dense, strict=True):
            model.add(layers.Dropout(rate))
            model.add(layer)
        model.set_weights([np.full(w.shape, 0.1 + 0.01 * i) for i, w in enumerate(model.weights)])
        path = tmp_path / f"{factor}.onnx"
        export_model(model, path, task="regression")
        return path

    scaled, other = load_model(export(1.0)), load_model(export(scale))
    found = scaled.predict(X, passes=PASSES, seed=1, rate_scale=scale)
    wanted = other.predict(X, passes=PASSES, seed=1)
    np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-12)
    np.testing.assert_allclose(found.variance, wanted.variance, rtol=1e-12)
