"""Resizing an image, converted to ONNX so that it gives TensorFlow's numbers.

tf2onnx writes a Resize by scales, which often miss the size by rounding; ONNX has
no area resize, and its cubic and antialiased kernels differ from TensorFlow's. But
every resize is linear in the pixels, and one axis at a time: where the sizes are
known, it is two matrix products, whose weights TensorFlow itself tells.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from numpy.typing import NDArray

from models.export.tf_nodes import Handler, TFNodes, handler

_OPS = (
    "ResizeNearestNeighbor",
    "ResizeBilinear",
    "ResizeBicubic",
    "ResizeArea",
    "ScaleAndTranslate",
)


def _convert_resize(new: TFNodes) -> None:
    """Every resize of images (batch, height, width, channels)."""
    node = new.node
    x, size = node.input[:2]
    shape, resized = new.shape(x), new.shape(node.output[0])
    if min(*shape[1:], *resized[1:3]) > 0:
        weights = [_weights(node, axis, shape[axis], resized[axis]) for axis in (1, 2)]
        y = _by_axis(new, _cast(new, x), shape, weights)
    elif node.type not in ("ResizeNearestNeighbor", "ResizeBilinear"):
        return  # ONNX's are others, so that it stays and is refused
    else:
        y = _by_size(new, _cast(new, x), size, _attributes(node))
    new.put("Identity", y)


#: By TensorFlow's operator.
HANDLERS: dict[str, Handler] = {op: handler(_convert_resize) for op in _OPS}


def _cast(new: TFNodes, x: str) -> str:
    return x if new.dtype == new.output_dtype else new.add("Cast", x, to=new.output_type)


def _weights(node: Any, axis: int, size: int, to: int) -> NDArray[Any]:
    """The (to, size) matrix by which one axis is resized: what becomes of unit images."""
    rows = (1, size, 1, size) if axis == 1 else (1, 1, size, size)
    sizes = [to, 1] if axis == 1 else [1, to]
    images = np.eye(size, dtype=np.float32).reshape(rows)
    options: dict[str, Any] = {
        key: bool(node.get_attr_value(key)) for key in node.attr if key in _OPTIONS
    }
    if node.type == "ScaleAndTranslate":
        # As tf.image.resize asks it; the export's checks would show another scale.
        scale = np.array(sizes, np.float32) / np.array(rows[1:3], np.float32)
        options |= {"scale": scale, "translation": np.zeros(2, np.float32)}
        options["kernel_type"] = node.get_attr_str("kernel_type")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        resized = getattr(tf.raw_ops, node.type)(images=images, size=sizes, **options)
        return np.asarray(session.run(resized)).reshape(to, size)


_OPTIONS = {"align_corners", "half_pixel_centers", "antialias"}


def _by_axis(new: TFNodes, x: str, shape: list[int], weights: list[NDArray[Any]]) -> str:
    """Resize (batch, height, width, channels) by one matrix for each axis."""
    _, height, width, channels = shape
    rows, columns = (
        np.ascontiguousarray(matrix, new.output_dtype) for matrix in (weights[0], weights[1].T)
    )
    # Large products both: few channels in the last axis would make many small ones.
    y = new.add("Reshape", x, np.array([-1, height, width * channels]))
    y = new.add("MatMul", rows, y)
    y = new.add("Reshape", y, np.array([-1, len(rows), width, channels]))
    y = new.add("MatMul", new.add("Transpose", y, perm=[0, 1, 3, 2]), columns)
    return new.add("Transpose", y, perm=[0, 1, 3, 2])


def _by_size(new: TFNodes, x: str, size: str, attributes: dict[str, Any]) -> str:
    """Resize images whose size is known when the model runs."""
    wide = new.add("Cast", size, to=onnx.TensorProto.INT64)
    if attributes["mode"] == "linear":
        return _by_hats(new.add, x, wide, attributes["coordinate_transformation_mode"])
    first = new.add("Transpose", x, perm=[0, 3, 1, 2])
    sizes = new.add("Concat", new.add("Shape", first, start=0, end=2), wide, axis=0)
    resized = new.add("Resize", first, "", "", sizes, **attributes)
    return new.add("Transpose", resized, perm=[0, 2, 3, 1])


def _by_hats(node: Callable[..., str], x: str, sizes: str, place: str) -> str:
    """Bilinear, by weights that are computed as TensorFlow does: ONNX's round otherwise."""
    one, none = np.array([1], np.int64), np.array([0], np.int64)
    height, width, channels = (node("Shape", x, start=axis, end=axis + 1) for axis in (1, 2, 3))
    tall, broad = (node("Slice", sizes, none + axis, one + axis) for axis in (0, 1))
    free = -one
    y = node("Reshape", x, node("Concat", free, height, node("Mul", width, channels), axis=0))
    y = node("MatMul", _hats(node, height, tall, place), y)
    y = node("Reshape", y, node("Concat", free, tall, width, channels, axis=0))
    y = node("Transpose", y, perm=[0, 1, 3, 2])
    y = node("MatMul", y, node("Transpose", _hats(node, width, broad, place), perm=[1, 0]))
    return node("Transpose", y, perm=[0, 1, 3, 2])


def _hats(node: Callable[..., str], size: str, to: str, place: str) -> str:
    """The (to, size) weights of one axis: max(0, 1 - |c - j|) of pixel j, at the place c."""
    half, zero, unit = (np.array(number, np.float32) for number in (0.5, 0.0, 1.0))

    def numbers(count: str) -> str:
        last = node("Squeeze", count)
        whole = node("Range", np.array(0, np.int64), last, np.array(1, np.int64))
        return node("Cast", whole, to=onnx.TensorProto.FLOAT)

    old, new = (node("Cast", count, to=onnx.TensorProto.FLOAT) for count in (size, to))
    last = node("Sub", old, unit)
    if place == "align_corners":
        c = node("Mul", numbers(to), node("Div", last, node("Max", node("Sub", new, unit), unit)))
    elif place == "half_pixel":
        middle = node("Mul", node("Add", numbers(to), half), node("Div", old, new))
        c = node("Sub", middle, half)
    else:
        c = node("Mul", numbers(to), node("Div", old, new))
    c = node("Unsqueeze", node("Min", node("Max", c, zero), last), np.array([1], np.int64))
    return node("Relu", node("Sub", unit, node("Abs", node("Sub", c, numbers(size)))))


def _attributes(node: Any) -> dict[str, Any]:
    """Of ONNX's Resize."""
    half, corners = (bool(node.get_attr_value(k)) for k in ("half_pixel_centers", "align_corners"))
    place = "half_pixel" if half else "align_corners" if corners else "asymmetric"
    if node.type == "ResizeBilinear":
        return {"mode": "linear", "coordinate_transformation_mode": place}
    nearest = "floor" if place == "asymmetric" else "round_prefer_ceil"
    return {
        "mode": "nearest",
        "nearest_mode": nearest,
        "coordinate_transformation_mode": place,
    }
