"""Convert a traced function to ONNX by way of tf2onnx, markers included."""

import logging
from typing import Any

import onnx
import tensorflow as tf
import tf2onnx

from models.export.trace import MARKER
from service.errors import ExportError

#: ONNX domain of the marker node `Site`, which `lower` replaces.
SITE_DOMAIN = "mcdropout"
SITE_OP = "Site"


def to_onnx(function: Any, signature: list[tf.TensorSpec], opset: int) -> onnx.ModelProto:
    """Convert a traced tf.function; each marker becomes a `mcdropout.Site` node.

    Raises:
        ExportError: the graph holds an operation that tf2onnx cannot express,
            or reads a tensor from outside the model.
    """
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # failures are read off the graph
    model: onnx.ModelProto
    model, _ = tf2onnx.convert.from_function(
        function,
        signature,
        opset=opset,
        custom_op_handlers={"CheckNumerics": (_convert_marker, [])},
        extra_opset=[onnx.helper.make_opsetid(SITE_DOMAIN, 1)],
    )
    _require_standard_ops(model)
    _require_known_inputs(model, {spec.name for spec in signature})
    return model


def _convert_marker(context: Any, node: Any, name: str, args: Any) -> None:
    """tf2onnx handler: a marker becomes a Site, any other CheckNumerics an Identity."""
    message = node.get_attr_str("message")
    is_marker = message.startswith(MARKER)
    shapes, dtypes = node.output_shapes, node.output_dtypes
    context.remove_node(node.name)
    context.make_node(
        SITE_OP if is_marker else "Identity",
        [node.input[0]],
        name=message.removeprefix(MARKER) if is_marker else name,
        domain=SITE_DOMAIN if is_marker else "",
        outputs=node.output,
        shapes=shapes,
        dtypes=dtypes,
    )


def _require_standard_ops(model: onnx.ModelProto) -> None:
    """tf2onnx logs what it cannot convert, and writes the TensorFlow op into the file."""
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    foreign: dict[str, str] = {}
    for node in model.graph.node:
        if node.domain != SITE_DOMAIN and not onnx.defs.has(
            node.op_type, max_inclusive_version=opsets.get(node.domain, 1), domain=node.domain
        ):
            foreign.setdefault(node.op_type, node.name)
    if foreign:
        listed = ", ".join(f"{op} (at {name!r})" for op, name in sorted(foreign.items()))
        raise ExportError(
            f"the model uses operations that cannot be converted to ONNX: {listed}. "
            "Replace the layers named there with ones made of standard operations."
        )


def _require_known_inputs(model: onnx.ModelProto, known: set[str]) -> None:
    stray = [value.name for value in model.graph.input if value.name not in known]
    if stray:
        raise ExportError(
            f"the converted graph reads {stray}, which no input of the model provides: a layer "
            "captured a tensor that is not one of its variables. Make it a weight of the layer."
        )
