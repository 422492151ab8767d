"""Convert a traced function to ONNX by way of tf2onnx, markers included."""

import logging
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

from models.export import elementwise, resize
from models.export.recorder import MARKER_OP
from models.export.recurrent import convert_recurrent
from service.errors import ExportError

#: ONNX domain of the marker node `Site`, which `lower` replaces.
SITE_DOMAIN = "mcdropout"
SITE_OP = "Site"
#: Its attribute that says which site it is.
SITE_NUMBER = "number"


def to_onnx(function: Any, signature: list[tf.TensorSpec], opset: int) -> onnx.ModelProto:
    """Convert a traced tf.function; each marker becomes a `mcdropout.Site` node.

    Raises:
        ExportError: the graph holds an operation that tf2onnx cannot express, or bfloat16.
    """
    concrete = function.get_concrete_function(*signature)
    _refuse_bfloat16(concrete.graph)
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # failures are read off the graph
    model: onnx.ModelProto
    model, _ = tf2onnx.convert.from_function(
        function,
        signature,
        opset=opset,
        custom_op_handlers={
            "Erfc": (_convert_erfc, []),
            "ExtractImagePatches": (_convert_patches, []),
            "SelectV2": (_convert_select, []),
            MARKER_OP: (_convert_marker, []),
            "CudnnRNNV3": (convert_recurrent, []),
            **elementwise.HANDLERS,
            **resize.HANDLERS,
        },
        extra_opset=[onnx.helper.make_opsetid(SITE_DOMAIN, 1)],
    )
    _bind_captures(model, concrete)
    _require_standard_ops(model)
    return model


def _refuse_bfloat16(graph: Any) -> None:
    """Layers were given float32 to compute in; what is left says bfloat16 itself."""
    for op in graph.get_operations():
        if op.type == "Cast" and op.outputs[0].dtype == tf.bfloat16:
            raise ExportError(
                f"the model casts to bfloat16 at {op.name!r}, which ONNX Runtime's CPU kernels do "
                "not have. Cast to the layer's compute_dtype there, which is exported as float32."
            )


def _bind_captures(model: onnx.ModelProto, concrete: Any) -> None:
    """A tensor captured from outside comes out as a graph input; make it a constant."""
    captured = {
        inner.name: outer for outer, inner in concrete.graph.captures if outer.dtype != tf.resource
    }
    for value in [value for value in model.graph.input if value.name in captured]:
        array = captured[value.name].numpy()
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
        model.graph.input.remove(value)


def _convert_erfc(context: Any, node: Any, name: str, args: Any) -> None:
    """tf2onnx handler: Erfc, which the exact GELU uses, is 1 - Erf."""
    (x,), (y,) = node.input, node.output
    dtype, shapes, dtypes = context.get_dtype(x), node.output_shapes, node.output_dtypes
    context.remove_node(node.name)
    erf = context.make_node("Erf", [x], name=f"{name}/erf", shapes=shapes, dtypes=dtypes)
    one = np.array(1, onnx.helper.tensor_dtype_to_np_dtype(dtype))
    constant = context.make_const(f"{name}/one", one)
    context.make_node(
        "Sub",
        [constant.output[0], erf.output[0]],
        name=name,
        outputs=[y],
        shapes=shapes,
        dtypes=dtypes,
    )


def _convert_marker(context: Any, node: Any, name: str, args: Any) -> None:
    """tf2onnx handler: a marker becomes a Site."""
    (_, x), shapes, dtypes = node.input, node.output_shapes, node.output_dtypes
    outputs, number = list(node.output), node.get_attr_int("seed2")
    context.remove_node(node.name)
    context.make_node(
        SITE_OP,
        [x],
        name=name,
        domain=SITE_DOMAIN,
        # It also keeps tf2onnx from merging two draws of the same shape into one.
        attr={SITE_NUMBER: number},
        outputs=outputs,
        shapes=shapes,
        dtypes=dtypes,
    )


def _convert_select(context: Any, node: Any, name: str, args: Any) -> None:
    """tf2onnx handler: SelectV2 is Where.

    tf2onnx's own adds up both branches, times 1 and 0. That makes NaN of a branch
    that is infinite where it is not selected, and hides the switch from the server.
    """
    inputs, shapes, dtypes = list(node.input), node.output_shapes, node.output_dtypes
    outputs = list(node.output)
    context.remove_node(node.name)
    context.make_node("Where", inputs, name=name, outputs=outputs, shapes=shapes, dtypes=dtypes)


def _convert_patches(context: Any, node: Any, name: str, args: Any) -> None:
    """tf2onnx handler: patches of an image, as vision transformers cut them.

    tf2onnx's own writes a reshape that is invalid where the batch is dynamic. A
    convolution with one output channel for each value of a patch is the same.
    """
    (x,), (y,) = node.input, node.output
    shapes, dtypes = node.output_shapes, node.output_dtypes
    _, height, width, _ = node.get_attr_value("ksizes")
    channels = context.get_shape(x)[3]
    values = height * width * channels
    # TensorFlow orders a patch's values by row, column, channel.
    kernel = np.eye(values).reshape(values, height, width, channels).transpose(0, 3, 1, 2)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(context.get_dtype(x))
    padding = node.get_attr_str("padding")
    attributes = {
        "strides": node.get_attr_value("strides")[1:3],
        "dilations": node.get_attr_value("rates")[1:3],
        "auto_pad": "SAME_UPPER" if padding == "SAME" else "VALID",
    }
    context.remove_node(node.name)
    first = context.make_node("Transpose", [x], attr={"perm": [0, 3, 1, 2]}, name=f"{name}/in")
    weights = context.make_const(f"{name}/kernel", kernel.astype(dtype))
    patches = context.make_node(
        "Conv", [first.output[0], weights.output[0]], attr=attributes, name=f"{name}/conv"
    )
    context.make_node(
        "Transpose",
        [patches.output[0]],
        attr={"perm": [0, 2, 3, 1]},
        name=name,
        outputs=[y],
        shapes=shapes,
        dtypes=dtypes,
    )


def _require_standard_ops(model: onnx.ModelProto) -> None:
    """tf2onnx logs what it cannot convert, and writes the TensorFlow op into the file."""
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    foreign: dict[str, str] = {}
    for node in _nodes(model.graph):
        if node.domain != SITE_DOMAIN and not onnx.defs.has(
            node.op_type, max_inclusive_version=opsets.get(node.domain, 1), domain=node.domain
        ):
            foreign.setdefault(node.op_type, node.name)
    if foreign:
        listed = ", ".join(f"{op} (at {name!r})" for op, name in sorted(foreign.items()))
        raise ExportError(
            f"the model uses operations that cannot be converted to ONNX: {listed}. "
            f"{_instead(foreign)}"
        )


def _instead(operations: Collection[str]) -> str:
    """What would be right in place of operations that ONNX does not have."""
    advice = [_INSTEAD[op] for op in sorted(operations) if op in _INSTEAD]
    if advice:
        return advice[0]
    return "Replace the layers named there with ones made of standard operations."


_SIZED = (
    "Give the input a height and a width, or resize with interpolation 'nearest' or 'bilinear' "
    "and without antialias."
)
_HASHED = "Hash before the model, and export the part behind that layer."
_INSTEAD = {
    **dict.fromkeys(("ResizeBicubic", "ResizeArea", "ScaleAndTranslate"), _SIZED),
    **dict.fromkeys(("StringToHashBucketFast", "StringToHashBucketStrong", "SparseCross"), _HASHED),
}


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a graph and of the graphs inside its nodes."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _nodes(attribute.g)
