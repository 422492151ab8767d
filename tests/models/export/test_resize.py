"""Resizing of images equals TensorFlow's, for all sizes and kernels."""

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import tensorflow as tf
from keras import layers

from models.export import export_model
from models.export.convert import to_onnx
from service import load_model
from service.errors import ExportError

IMAGES = np.random.default_rng(0).normal(size=(2, 8, 12, 2)).astype(np.float32)
SIZES = [*product((3, 5, 8, 9, 31), (3, 7, 12, 13, 24))]

Resize = Callable[[Any], Any]


def by_tensorflow(method: str, antialias: bool = False) -> list[Resize]:
    options = {"method": method, "antialias": antialias}
    return [partial(tf.image.resize, size=size, **options) for size in SIZES]


def by_layers() -> list[Resize]:
    kinds = ("nearest", "bilinear", "bicubic", "lanczos3")
    steps = [layers.UpSampling2D((3, 2), interpolation=kind) for kind in kinds]
    for options in ({"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True}):
        steps += [layers.Resizing(5, 9, **options), layers.Resizing(20, 7, **options)]
    steps.append(layers.Resizing(5, 9, antialias=True))
    return steps


@pytest.mark.parametrize(
    "resizes",
    [
        pytest.param(by_tensorflow("nearest"), id="nearest"),
        pytest.param(by_tensorflow("bilinear"), id="bilinear"),
        pytest.param(by_tensorflow("bicubic"), id="bicubic"),
        pytest.param(by_tensorflow("area"), id="area"),
        pytest.param(by_tensorflow("bilinear", antialias=True), id="antialias"),
        pytest.param(by_tensorflow("gaussian"), id="gaussian"),
        pytest.param(None, id="layers"),
    ],
)
def test_resize_equals_tensorflow(resizes: list[Resize] | None) -> None:
    steps = resizes or by_layers()
    signature = [tf.TensorSpec((None, *IMAGES.shape[1:]), tf.float32, name="x")]
    function = tf.function(lambda x: [step(x) for step in steps], autograph=False)
    model = ir.to_proto(to_onnx(function, signature, 18))
    onnx.checker.check_model(model, full_check=True)
    found = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": IMAGES})
    for output, exact in zip(found, function(IMAGES), strict=True):
        np.testing.assert_allclose(output, exact, atol=3e-6 * np.abs(exact).max())


def images_of_any_size(layer: layers.Layer) -> keras.Model:
    x = keras.Input((None, None, 3))
    y = layers.Dropout(0.3)(layer(x))
    return keras.Model(x, y)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_images_of_any_size_are_resized(interpolation: str, tmp_path: Path) -> None:
    model = images_of_any_size(layers.Resizing(9, 7, interpolation=interpolation))
    export_model(model, tmp_path / "model.onnx", task="other")
    served = load_model(tmp_path / "model.onnx")
    for size in ((8, 11), (31, 5), (100, 99), (480, 640)):
        rows = np.random.default_rng(1).normal(size=(2, *size, 3)).astype(np.float32)
        (off,) = served.predict_deterministic(rows).values()
        np.testing.assert_allclose(off, model(rows), atol=1e-5)


def test_kernel_that_onnx_lacks_is_refused_for_images_of_any_size(tmp_path: Path) -> None:
    model = images_of_any_size(layers.Resizing(9, 7, interpolation="bicubic", name="smooth"))
    with pytest.raises(ExportError, match=r"ResizeBicubic .*smooth.*height and a width"):
        export_model(model, tmp_path / "model.onnx", task="other")
