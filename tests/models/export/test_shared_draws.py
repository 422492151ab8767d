"""Draws that all rows of a pass share: a pass of the server equals a call of Keras.

Keras is called once per pass, so that what rows share appears in their covariance. Means,
variances and covariances may differ by six standard errors; those of second moments come
from the fourth moments of Keras' samples.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from models.export import export_model
from scripts.supported_models import ROWS, Row
from scripts.supported_models.shared_draws import ON_WEIGHTS, OnWeights, Variational
from service import Predictor, load_model
from service.errors import InputError
from service.graph.plan import Layout
from service.inference.runner import Draws
from service.inference.sampler import Sampler
from service.inference.sizes import Sizes, Sizing
from service.protocol.options import Masks
from tests.conftest import SIGMAS
from tests.service.reference import sample_moments

PASSES = 3000
rng = np.random.default_rng(3)
X = rng.normal(size=(3, 6)).astype(np.float32)


def samples_of(
    model: Predictor, x: NDArray[np.float32], masks: Masks = "shared"
) -> NDArray[np.float64]:
    """(P, B · K) samples of the server."""
    rows = {model.manifest.inputs[0].name: x}
    (found,) = model.sampler.sample(rows, PASSES, Draws(5, masks)).values()
    return found.reshape(PASSES, -1).astype(np.float64)


def samples_of_keras(model: keras.Model, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """(P, B · K) samples of Keras, one call per pass."""

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow ships no types
    def passes() -> Any:
        each = tf.range(PASSES)
        return tf.map_fn(lambda _: model(x, training=True), each, fn_output_signature=tf.float32)

    return np.asarray(passes(), np.float64).reshape(PASSES, -1)


def assert_same_moments(
    ours: NDArray[np.float64], wanted: NDArray[np.float64], *, within_rows: bool = False
) -> None:
    """Compare means and covariances of (P, 3 · K) samples; optionally within rows only."""
    mean, variance = wanted.mean(axis=0), wanted.var(axis=0)
    rounding = 1e-6 * np.abs(wanted).max()
    error = np.sqrt(2 * variance / PASSES) + rounding
    assert (np.abs(ours.mean(axis=0) - mean) < SIGMAS * error).all()
    a, b = ours - ours.mean(axis=0), wanted - mean
    products = b[:, :, None] * b[:, None, :]
    error = np.sqrt(2 * products.var(axis=0) / PASSES) + rounding**2
    error += 2 * np.sqrt(np.outer(variance, variance)) / PASSES
    difference = np.abs((a[:, :, None] * a[:, None, :]).mean(axis=0) - products.mean(axis=0))
    row = np.repeat(range(3), len(mean) // 3)
    compared = np.equal.outer(row, row) | (not within_rows)
    assert (difference[compared] < SIGMAS * error[compared]).all()


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.name) for row in ROWS["Draws that rows share"]]
)
def test_rows_of_a_pass_vary_together_as_in_keras(row: Row, tmp_path: Path) -> None:
    model, path = row.build(), tmp_path / "model.onnx"
    manifest = export_model(model, path, task="other")
    x = rng.normal(size=(3, *model.input_shape[1:])).astype(np.float32)
    # Rows share a draw that has a batch axis in our passes only.
    within_rows = any(site.batch_axis is not None for site in manifest.sites)
    wanted = samples_of_keras(model, x)
    assert_same_moments(samples_of(load_model(path), x), wanted, within_rows=within_rows)
    assert any(site.batch_axis is None for site in manifest.sites)


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.name) for row in ROWS["The batch in other places"]]
)
def test_rows_are_distinguished_on_any_batch_axis(row: Row, tmp_path: Path) -> None:
    model, path = row.build(), tmp_path / "model.onnx"
    manifest = export_model(model, path, task="other")
    x = rng.normal(size=(3, *(n or 5 for n in manifest.inputs[0].shape[1:]))).astype(np.float32)
    ours = load_model(path)
    assert_same_moments(samples_of(ours, x, "per_row"), samples_of_keras(model, x))
    first = np.repeat(x[:1], 3, axis=0)
    shared = samples_of(ours, first).reshape(PASSES, 3, -1)
    np.testing.assert_allclose(shared[:, 1:], shared[:, :2], rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def connect(tmp_path_factory: pytest.TempPathFactory) -> tuple[Predictor, NDArray[np.float32]]:
    """DropConnect at rate 0.3, and its kernel."""
    layer = OnWeights(ON_WEIGHTS["DropConnect: tf.nn.dropout of a kernel"], name="connect")
    path = tmp_path_factory.mktemp("connect") / "model.onnx"
    model = keras.Sequential([keras.Input((6,)), layers.Dense(6, trainable=False), layer])
    model.layers[0].set_weights([np.eye(6), np.zeros(6)])
    export_model(model, path, task="other")
    return load_model(path), np.asarray(layer.kernel)


def test_dropconnect_has_the_covariance_of_its_closed_form(
    connect: tuple[Predictor, NDArray[np.float32]],
) -> None:
    """y = Σ wᵢ xᵢ mᵢ/(1-p) with the same mᵢ for all rows: Cov = p/(1-p) Σ wᵢ² xᵢ x'ᵢ."""
    model, kernel = connect
    found = samples_of(model, X).reshape(PASSES, 3, 4)
    for k in range(4):
        parts = X * kernel[:, k]
        wanted = 0.3 / 0.7 * parts @ parts.T
        error = SIGMAS * np.sqrt(2 / PASSES) * np.sqrt(np.outer(wanted.diagonal(), np.diag(wanted)))
        assert (np.abs(np.cov(found[:, :, k].T) - wanted) < 2 * error).all()
        assert (
            np.abs(found[:, :, k].mean(axis=0) - parts.sum(axis=1))
            < SIGMAS * np.sqrt(wanted.diagonal() / PASSES)
        ).all()


def test_bayes_by_backprop_has_the_covariance_of_its_closed_form(tmp_path: Path) -> None:
    """y = Σ (mᵢ + sᵢ zᵢ) xᵢ with the same zᵢ for all rows: Cov = Σ sᵢ² xᵢ x'ᵢ, and y is normal."""
    layer = Variational()
    export_model(keras.Sequential([keras.Input((6,)), layer]), tmp_path / "m.onnx", task="other")
    found = samples_of(load_model(tmp_path / "m.onnx"), X).reshape(PASSES, 3, 4)
    deviation = np.log1p(np.exp(-1.0))
    wanted = deviation**2 * X @ X.T
    both = np.outer(wanted.diagonal(), wanted.diagonal())
    error = SIGMAS * np.sqrt((both + wanted**2) / PASSES)
    for k in range(4):
        assert (np.abs(np.cov(found[:, :, k].T) - wanted) < error).all()


def test_shared_draw_depends_on_seed_site_and_pass_only(
    connect: tuple[Predictor, NDArray[np.float32]],
) -> None:
    """It depends neither on the other rows nor on the passes per chunk."""
    model, _ = connect
    together = samples_of(model, X).reshape(PASSES, 3, 4)
    for index in range(3):
        alone = samples_of(model, X[index : index + 1]).reshape(PASSES, 4)
        np.testing.assert_allclose(alone, together[:, index], rtol=1e-5, atol=1e-6)
    whole = model.predict(X, passes=50, seed=5)
    few = Sampler(model.sampler.runner, Sizing(Sizes(samples=12)))
    (cut,) = sample_moments(few, {model.manifest.inputs[0].name: X}, 50, Draws(5)).values()
    np.testing.assert_array_equal(cut.variance, whole.variance)


def test_per_row_masks_are_refused_for_draws_without_rows(
    connect: tuple[Predictor, NDArray[np.float32]],
) -> None:
    model, _ = connect
    with pytest.raises(InputError, match=r"site 'connect' draws once for all rows of a pass"):
        model.predict(X, masks="per_row")


def test_per_row_masks_are_drawn_if_only_other_sites_are_active(tmp_path: Path) -> None:
    (row,) = (row for row in ROWS["Draws that rows share"] if row.sites == 4)
    export_model(row.build(), tmp_path / "model.onnx", task="other")
    model = load_model(tmp_path / "model.onnx")
    twice = np.repeat(X[:1], 2, axis=0)
    found = model.predict(twice, seed=1, masks="per_row", sites=["dropout"])
    assert (found.variance[0] != found.variance[1]).any()


def test_layers_before_drawn_weights_stay_in_the_trunk(
    connect: tuple[Predictor, NDArray[np.float32]],
) -> None:
    model, _ = connect
    report = model.planned.report
    assert report.layout is Layout.BY_PASS
    assert report.trunk_share == pytest.approx(36 / (36 + 24))
