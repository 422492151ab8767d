"""Convert the resizing of images to ONNX so that it gives TensorFlow's numbers.

The Resize that tf2onnx writes has scales, whose rounding often gives another size. ONNX has
no area resize, and its cubic and antialiased kernels differ from TensorFlow's. But every
resize is linear in the pixels and separable by axis: if the sizes are known, it is two matrix
products, whose weights TensorFlow computes.
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
    """Convert a resize of images (batch, height, width, channels)."""
    node = new.node
    x, size = node.input[:2]
    shape, resized = new.shape(x), new.shape(node.output[0])
    if min(*shape[1:], *resized[1:3]) > 0:
        weights = [_weights(node, axis, shape[axis], resized[axis]) for axis in (1, 2)]
        y = _by_axis(new, _cast(new, x), shape, weights)
    elif node.type not in ("ResizeNearestNeighbor", "ResizeBilinear"):
        return  # ONNX has other kernels: the op stays, and the model is refused
    else:
        y = _by_size(new, _cast(new, x), size, node.type, _place(node))
    new.put("Identity", y)


#: Handlers by TensorFlow op.
HANDLERS: dict[str, Handler] = {op: handler(_convert_resize) for op in _OPS}


def _cast(new: TFNodes, x: str) -> str:
    return x if new.dtype == new.output_dtype else new.add("Cast", x, to=new.output_type)


def _weights(node: Any, axis: int, size: int, to: int) -> NDArray[Any]:
    """The (to, size) matrix that resizes one axis, found by resizing unit images."""
    rows = (1, size, 1, size) if axis == 1 else (1, 1, size, size)
    sizes = [to, 1] if axis == 1 else [1, to]
    images = np.eye(size, dtype=np.float32).reshape(rows)
    options: dict[str, Any] = {
        key: bool(node.get_attr_value(key)) for key in node.attr if key in _OPTIONS
    }
    if node.type == "ScaleAndTranslate":
        # The arguments of tf.image.resize; the export's checks would detect another scale.
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
    # Both products are large; with the few channels as last axis they would be many small ones.
    y = new.add("Reshape", x, np.array([-1, height, width * channels]))
    y = new.add("MatMul", rows, y)
    y = new.add("Reshape", y, np.array([-1, len(rows), width, channels]))
    y = new.add("MatMul", new.add("Transpose", y, perm=[0, 1, 3, 2]), columns)
    return new.add("Transpose", y, perm=[0, 1, 3, 2])


def _by_size(new: TFNodes, x: str, size: str, kind: str, place: str) -> str:
    """Resize images whose size is known when the model runs."""
    sizes = new.add("Cast", size, to=onnx.TensorProto.INT64)
    resize = _by_hats if kind == "ResizeBilinear" else _by_index
    return resize(new.add, x, sizes, place)


def _by_index(node: Callable[..., str], x: str, sizes: str, place: str) -> str:
    """Nearest neighbor; of two equally near pixels, ONNX's Resize takes another one."""
    for axis in (1, 2):
        old = node("Shape", x, start=axis, end=axis + 1)
        c = _places(node, old, _number(node, sizes, axis - 1), place)
        if place == "align_corners":
            c = node("Add", c, _HALF)
        index = node("Cast", node("Floor", c), to=onnx.TensorProto.INT64)
        last = node("Sub", old, np.array([1], np.int64))
        x = node("Gather", x, node("Min", index, last), axis=axis)
    return x


def _by_hats(node: Callable[..., str], x: str, sizes: str, place: str) -> str:
    """Bilinear, with weights in TensorFlow's arithmetic, which ONNX's Resize rounds differently."""
    height, width, channels = (node("Shape", x, start=axis, end=axis + 1) for axis in (1, 2, 3))
    tall, broad = (_number(node, sizes, axis) for axis in (0, 1))
    free = np.array([-1], np.int64)
    y = node("Reshape", x, node("Concat", free, height, node("Mul", width, channels), axis=0))
    y = node("MatMul", _hats(node, height, tall, place), y)
    y = node("Reshape", y, node("Concat", free, tall, width, channels, axis=0))
    y = node("Transpose", y, perm=[0, 1, 3, 2])
    y = node("MatMul", y, node("Transpose", _hats(node, width, broad, place), perm=[1, 0]))
    return node("Transpose", y, perm=[0, 1, 3, 2])


_HALF, _NONE, _UNIT = (np.array(number, np.float32) for number in (0.5, 0.0, 1.0))


def _hats(node: Callable[..., str], size: str, to: str, place: str) -> str:
    """The (to, size) weights of one axis: max(0, 1 - |c - j|) for pixel j and coordinate c."""
    c = _places(node, size, to, place)
    if place == "half_pixel":
        c = node("Sub", c, _HALF)
    last = node("Sub", _float(node, size), _UNIT)
    c = node("Unsqueeze", node("Min", node("Max", c, _NONE), last), np.array([1], np.int64))
    return node("Relu", node("Sub", _UNIT, node("Abs", node("Sub", c, _numbers(node, size)))))


def _places(node: Callable[..., str], size: str, to: str, place: str) -> str:
    """Coordinates of the (to,) new pixels in the old image, in TensorFlow's order of operations.

    With `half_pixel` they are the distances of the pixels' centers from the image's edge.
    """
    old, new, numbers = _float(node, size), _float(node, to), _numbers(node, to)
    if place == "align_corners":
        old, new = node("Sub", old, _UNIT), node("Max", node("Sub", new, _UNIT), _UNIT)
    elif place == "half_pixel":
        numbers = node("Add", numbers, _HALF)
    return node("Mul", numbers, node("Div", old, new))


def _number(node: Callable[..., str], sizes: str, index: int) -> str:
    at = np.array([index], np.int64)
    return node("Slice", sizes, at, at + 1)


def _float(node: Callable[..., str], count: str) -> str:
    return node("Cast", count, to=onnx.TensorProto.FLOAT)


def _numbers(node: Callable[..., str], count: str) -> str:
    none, one = (np.array(number, np.int64) for number in (0, 1))
    return _float(node, node("Range", none, node("Squeeze", count), one))


def _place(node: Any) -> str:
    half, corners = (bool(node.get_attr_value(k)) for k in ("half_pixel_centers", "align_corners"))
    return "half_pixel" if half else "align_corners" if corners else "asymmetric"
