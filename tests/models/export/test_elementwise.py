"""Preprocessing inside the model, and operators that tf2onnx lacks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from models.export import export_model
from service import load_model
from service.errors import ExportError

NUMBERS = np.array([[-2.0, 0.0, 1.5], [1.4999999, 3.0, 9.0]], np.float32)
IDS = np.array([[1, 2, 3], [4, 0, 7]], np.int64)


def with_head(x: Any, y: Any) -> keras.Model:
    y = layers.Flatten()(ops.cast(y, "float32"))
    return keras.Model(x, {"y": y, "head": layers.Dense(2)(layers.Dropout(0.4)(y))})


@pytest.mark.parametrize(
    ("layer", "rows"),
    [
        (lambda: layers.Discretization([0.0, 1.5, 3.0]), NUMBERS),
        (lambda: layers.Discretization([0.0, 1.5, 3.0], output_mode="one_hot"), NUMBERS),
        (lambda: layers.Discretization([1.0, 3.0]), IDS),
        (lambda: layers.IntegerLookup(vocabulary=[4, 2, 1]), IDS),
        (lambda: layers.IntegerLookup(vocabulary=[4, 1], mask_token=0, num_oov_indices=1), IDS),
        (lambda: layers.IntegerLookup(vocabulary=[4, 1], output_mode="multi_hot"), IDS),
        (lambda: layers.IntegerLookup(vocabulary=[4, 1], output_mode="one_hot"), IDS),
        (lambda: layers.Lambda(lambda x: ops.one_hot(x - 2, 3)), IDS),
        (lambda: layers.Lambda(lambda x: ops.one_hot(x, 3, axis=1)), IDS),
        (lambda: layers.CategoryEncoding(8, output_mode="count"), IDS),
        (lambda: layers.Normalization(mean=2.0, variance=3.0), NUMBERS),
    ],
)
def test_preprocessing_equals_keras(
    layer: Callable[[], Any], rows: np.ndarray, tmp_path: Path
) -> None:
    x = keras.Input((3,), dtype=rows.dtype.name)
    model, path = with_head(x, layer()(x)), tmp_path / "model.onnx"
    export_model(model, path, task="other", example=rows)
    off = load_model(path).predict_deterministic(rows)
    np.testing.assert_allclose(off["y"], model(rows)["y"], rtol=1e-6)


@pytest.mark.parametrize("function", [ops.expm1, ops.log1p])
def test_small_numbers_keep_their_precision(function: Any, tmp_path: Path) -> None:
    x = keras.Input((4,))
    path = tmp_path / "model.onnx"
    model = with_head(x, function(ops.abs(x)))
    export_model(model, path, task="other")
    rows = np.array([[1e-9, 1e-6, 1e-3, 0.49], [0.51, 1.0, 8.0, 20.0]], np.float32)
    off = load_model(path).predict_deterministic(rows)
    np.testing.assert_allclose(off["y"], model(rows)["y"], rtol=1e-6)


def test_hashing_layer_is_refused_with_the_remedy(tmp_path: Path) -> None:
    x = keras.Input((3,), dtype="int64")
    model = with_head(x, layers.Hashing(4, name="buckets")(x))
    with pytest.raises(ExportError, match=r"buckets.*Hash before the model"):
        export_model(model, tmp_path / "model.onnx", task="other")
