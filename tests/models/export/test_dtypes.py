"""Outputs that are not floats, layers with bfloat16 computation, quantized layers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import keras
import numpy as np
import pytest
from keras import layers, ops

from models.export import export_model
from models.export.source import float32_instead_of_bfloat16
from scripts.local_server import local_server
from service import load_model
from service.errors import ExportError
from tests.conftest import SIGMAS

ONES = np.ones((2, 6), np.float32)


def test_outputs_of_any_dtype_have_a_mean_and_a_variance(tmp_path: Path) -> None:
    """For y = 2 m with P(m = 1) = 1/2: y > 0 and argmax show how often m is 1."""
    x = keras.Input((6,))
    y = layers.Dropout(0.5, name="Tröpfe 日本")(x)
    top = ops.stack([0.5 * ops.ones_like(y), y], axis=-1)
    outputs = {
        "kept": ops.greater(y, 0.0),
        "top": ops.argmax(top, axis=-1),
        "bottom": ops.argmin(top, axis=-1),
        "byte": ops.cast(200.0 - 50.0 * ops.clip(y, 0.0, 2.0), "uint8"),
    }
    path = tmp_path / "store" / "mine" / "1" / "model.onnx"
    manifest = export_model(keras.Model(x, outputs), path, task="other")
    assert {o.name: o.dtype for o in manifest.outputs} == {
        "bottom": "int32",
        "byte": "uint8",
        "kept": "bool",
        "top": "int32",
    }
    passes = 4000
    found = load_model(path).predict(ONES, passes=passes, seed=1)
    error = SIGMAS * np.sqrt(0.25 / passes)
    np.testing.assert_allclose(found["kept"].mean, 0.5, atol=error)
    np.testing.assert_allclose(found["top"].mean, found["kept"].mean)
    np.testing.assert_allclose(found["bottom"].mean, 1 - found["kept"].mean)
    np.testing.assert_allclose(found["byte"].mean, 200 - 100 * found["kept"].mean)
    np.testing.assert_allclose(found["byte"].variance, 1e4 * found["kept"].variance)
    with local_server(tmp_path / "store") as server:
        body: dict[str, Any] = {"instances": ONES.tolist(), "sites": ["Tröpfe 日本"]}
        url = f"{server.url}/v1/models/mine:predict"
        (row, _) = httpx.post(url, json=body).json()["predictions"]
        assert 0 < row["kept"]["mean"][0] < 1
        del body["sites"]
        (off, _) = httpx.post(url, json={**body, "training": False}).json()["predictions"]
        assert off["kept"]["output"] == [True] * 6


def test_argmax_of_negative_zero_equals_keras(tmp_path: Path) -> None:
    x = keras.Input((3,))
    y = layers.Dropout(0.5)(x)
    path = tmp_path / "model.onnx"
    export_model(keras.Model(x, [ops.argmax(x, axis=-1), ops.signbit(x), y]), path, task="other")
    rows = np.array([[-0.0, 0.0, -1.0], [-1.0, -0.0, 0.0], [1.0, np.float32(1e-40), -2.0]])
    top, sign, _ = load_model(path).predict_deterministic(rows.astype(np.float32)).values()
    np.testing.assert_array_equal(top, [1, 2, 0])
    np.testing.assert_array_equal(sign, np.signbit(rows))


class Cast(layers.Layer):
    """A layer without get_config, as in notebooks."""

    def __init__(self, to: Callable[[Any], str]) -> None:
        super().__init__()
        self.to = to

    def call(self, inputs: Any) -> Any:
        return ops.cast(inputs, self.to(self)) * 2


def brain(to: Callable[[Any], str]) -> keras.Model:
    normal = layers.Normalization()
    normal.adapt(np.random.default_rng(0).normal(5, 3, (50, 6)))
    x = keras.Input((6,))
    y = layers.Dropout(0.3)(Cast(to)(layers.Dense(8)(normal(x))))
    return keras.Model(x, layers.Dense(2)(layers.Lambda(lambda t: t + 1)(y)))


@pytest.fixture
def mixed_bfloat16() -> Any:
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("mixed_bfloat16")
def test_a_bfloat16_model_that_keras_cannot_copy_is_exported_in_float32(tmp_path: Path) -> None:
    """The model has statistics, a Lambda and a class without configuration."""
    model, path = brain(lambda layer: layer.compute_dtype), tmp_path / "model.onnx"
    export_model(model, path, task="other")
    assert {layer.compute_dtype for layer in model.layers[1:]} == {"bfloat16"}
    rows = np.random.default_rng(1).normal(5, 3, (4, 6)).astype(np.float32)
    (off,) = load_model(path).predict_deterministic(rows).values()
    with float32_instead_of_bfloat16(model):
        exact = model(rows)
    np.testing.assert_allclose(off, exact, rtol=1e-5, atol=1e-5)
    brains = ops.cast(model(rows), "float32")
    np.testing.assert_allclose(off, brains, atol=0.03 * np.abs(exact).max())


@pytest.mark.usefixtures("mixed_bfloat16")
def test_cast_to_bfloat16_is_refused_with_its_location(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"casts to bfloat16 at '.*cast.*'.*compute_dtype"):
        export_model(brain(lambda layer: "bfloat16"), tmp_path / "model.onnx", task="other")


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_quantized_model_is_exported_or_refused_with_its_layer(mode: str, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((16,)), layers.Dropout(0.5), layers.Dense(4, name="out")])
    model.layers[-1].quantize(mode)
    path = tmp_path / "model.onnx"
    if mode == "float8":
        with pytest.raises(ExportError, match="layer 'out' is quantized to float8"):
            export_model(model, path, task="other")
    else:
        assert export_model(model, path, task="other").sites
