"""Resizing an image, converted to ONNX so that it gives TensorFlow's numbers.

tf2onnx writes a Resize by scales, which often miss the size by rounding; ONNX has
no area resize, and its cubic and antialiased kernels differ from TensorFlow's. But
every resize is linear in the pixels, and one axis at a time: where the sizes are
known, it is two matrix products, whose weights TensorFlow itself tells.
"""

from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from numpy.typing import NDArray

_OPS = (
    "ResizeNearestNeighbor",
    "ResizeBilinear",
    "ResizeBicubic",
    "ResizeArea",
    "ScaleAndTranslate",
)


def convert_resize(context: Any, node: Any, name: str, args: Any) -> None:
    """tf2onnx handler: every resize of images (batch, height, width, channels)."""
    shape, resized = context.get_shape(node.input[0]), context.get_shape(node.output[0])
    dtype, outputs = context.get_dtype(node.output[0]), list(node.output)
    if min(*shape[1:], *resized[1:3]) > 0:
        weights = [_weights(node, axis, shape[axis], resized[axis]) for axis in (1, 2)]
        x = _cast(context, node, dtype)
        context.remove_node(node.name)
        y = _by_axis(context, x, shape, weights, name)
    elif node.type not in ("ResizeNearestNeighbor", "ResizeBilinear"):
        return  # ONNX's are others, so that it stays and is refused
    else:
        attributes, size = _attributes(node), node.input[1]
        x = _cast(context, node, dtype)
        context.remove_node(node.name)
        y = _by_size(context, x, size, attributes, name)
    context.make_node("Identity", [y], name=name, outputs=outputs, shapes=[resized], dtypes=[dtype])


#: tf2onnx handlers by TensorFlow's operator.
HANDLERS: dict[str, Any] = {op: (convert_resize, []) for op in _OPS}


def _cast(context: Any, node: Any, dtype: int) -> str:
    x: str = node.input[0]
    if context.get_dtype(x) == dtype:
        return x
    shapes = [context.get_shape(x)]
    cast = context.make_node("Cast", [x], attr={"to": dtype}, shapes=shapes, dtypes=[dtype])
    return str(cast.output[0])


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


def _by_axis(context: Any, x: str, shape: list[int], weights: list[NDArray[Any]], name: str) -> str:
    """Resize (batch, height, width, channels) by one matrix for each axis."""
    _, height, width, channels = shape
    dtype = onnx.helper.tensor_dtype_to_np_dtype(context.get_dtype(x))
    rows, columns = (
        context.make_const(f"{name}/{role}", np.ascontiguousarray(matrix, dtype)).output[0]
        for role, matrix in (("rows", weights[0]), ("columns", weights[1].T))
    )

    def node(op: str, *inputs: str, **attributes: Any) -> str:
        return str(context.make_node(op, list(inputs), attr=attributes).output[0])

    def reshape(x: str, *sizes: int) -> str:
        target = context.make_const(f"{name}/{len(sizes)}d", np.array(sizes, np.int64))
        return node("Reshape", x, target.output[0])

    # Large products both: few channels in the last axis would make many small ones.
    y = node("MatMul", rows, reshape(x, -1, height, width * channels))
    y = reshape(y, -1, len(weights[0]), width, channels)
    y = node("MatMul", node("Transpose", y, perm=[0, 1, 3, 2]), columns)
    return node("Transpose", y, perm=[0, 1, 3, 2])


def _by_size(context: Any, x: str, size: str, attributes: dict[str, Any], name: str) -> str:
    """Resize images whose size is known when the model runs."""
    first = context.make_node("Transpose", [x], attr={"perm": [0, 3, 1, 2]}).output[0]
    shape = context.make_node("Shape", [first], attr={"start": 0, "end": 2}).output[0]
    wide = context.make_node("Cast", [size], attr={"to": onnx.TensorProto.INT64}).output[0]
    sizes = context.make_node("Concat", [shape, wide], attr={"axis": 0}).output[0]
    resized = context.make_node(
        "Resize", [first, "", "", sizes], attr=attributes, name=f"{name}/in"
    )
    last = context.make_node("Transpose", resized.output, attr={"perm": [0, 2, 3, 1]})
    return str(last.output[0])


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
