"""Convert a traced function and its markers to ONNX with tf2onnx."""

import logging
from collections.abc import Collection
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray

from models.export import elementwise, recurrent, resize, text_nodes
from models.export.bind_captures import BindCapturesPass
from models.export.recorder import MARKER_OP
from models.export.text_nodes import DOMAIN as TEXT_DOMAIN
from models.export.text_nodes import ML_DOMAIN
from models.export.text_pass import with_text
from models.export.tf_nodes import Handler, TFNodes, handler
from service.errors import ExportError

#: ONNX domain of the marker node `Site`, which `SiteNodesPass` replaces.
SITE_DOMAIN = "mcdropout"
SITE_OP = "Site"
#: Attribute of a marker node: the number of its site.
SITE_NUMBER = "number"

#: Domains of nodes that standard ones take the place of, and of ONNX's lookup tables.
_OWN_DOMAINS = (SITE_DOMAIN, TEXT_DOMAIN)
_OPSETS = {**dict.fromkeys(_OWN_DOMAINS, 1), ML_DOMAIN: 2}


def to_onnx(function: Any, signature: list[tf.TensorSpec], opset: int) -> ir.Model:
    """Convert a traced tf.function; each marker becomes a `mcdropout.Site` node.

    Raises:
        ExportError: the graph holds an operation that tf2onnx cannot express, or bfloat16.
    """
    concrete = function.get_concrete_function(*signature)
    _refuse_bfloat16(concrete.graph)
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # failures are read off the graph
    converted, _ = tf2onnx.convert.from_function(
        function,
        signature,
        opset=opset,
        custom_op_handlers=_HANDLERS,
        extra_opset=[onnx.helper.make_opsetid(*opset) for opset in _OPSETS.items()],
    )
    model = BindCapturesPass(_captures(concrete))(ir.from_proto(converted)).model
    _require_standard_ops(model)
    return with_text(model)


def _refuse_bfloat16(graph: Any) -> None:
    """Check that no bfloat16 is left; layers that compute in it were given float32."""
    for op in graph.get_operations():
        if op.type == "Cast" and op.outputs[0].dtype == tf.bfloat16:
            raise ExportError(
                f"the model casts to bfloat16 at {op.name!r}, which ONNX Runtime's CPU kernels do "
                "not have. Cast to the layer's compute_dtype there, which is exported as float32."
            )


def _captures(concrete: Any) -> dict[str, NDArray[Any]]:
    """The tensors that a function captured from outside, by their names inside it."""
    return {
        inner.name: outer.numpy()
        for outer, inner in concrete.graph.captures
        if outer.dtype != tf.resource
    }


def _convert_marker(new: TFNodes) -> None:
    """Convert a marker op to a `Site` node."""
    # The number also prevents tf2onnx from merging two draws of the same shape.
    number = {SITE_NUMBER: new.node.get_attr_int("seed2")}
    new.put(SITE_OP, new.node.input[1], domain=SITE_DOMAIN, **number)


def _convert_select(new: TFNodes) -> None:
    """Convert SelectV2 to Where.

    The handler of tf2onnx multiplies the branches by 1 and 0 and adds them. This gives NaN
    where the branch that is not selected is infinite, and hides the switch from the server.
    """
    new.put("Where", *new.node.input)


def _convert_patches(new: TFNodes) -> None:
    """Convert ExtractImagePatches, which vision transformers use, to a convolution.

    The convolution has one output channel for each value of a patch. The reshape that
    tf2onnx writes instead is invalid for a dynamic batch.
    """
    node, (x,) = new.node, new.node.input
    _, height, width, _ = node.get_attr_value("ksizes")
    channels = new.shape(x)[3]
    values = height * width * channels
    # TensorFlow orders a patch's values by row, column, channel.
    kernel = np.eye(values).reshape(values, height, width, channels).transpose(0, 3, 1, 2)
    attributes = {
        "strides": node.get_attr_value("strides")[1:3],
        "dilations": node.get_attr_value("rates")[1:3],
        "auto_pad": "SAME_UPPER" if node.get_attr_str("padding") == "SAME" else "VALID",
    }
    first = new.add("Transpose", x, perm=[0, 3, 1, 2])
    patches = new.add("Conv", first, kernel.astype(new.dtype), **attributes)
    new.put("Transpose", patches, perm=[0, 2, 3, 1])


_HANDLERS: dict[str, Handler] = {
    MARKER_OP: handler(_convert_marker),
    "SelectV2": handler(_convert_select),
    "ExtractImagePatches": handler(_convert_patches),
    **elementwise.HANDLERS,
    **recurrent.HANDLERS,
    **resize.HANDLERS,
    **text_nodes.HANDLERS,
}


def _require_standard_ops(model: ir.Model) -> None:
    """Check that every node is a standard operator.

    tf2onnx only logs what it cannot convert, and leaves the TensorFlow op in the graph.
    """
    foreign: dict[str, str] = {}
    for node in model.graph.all_nodes():
        version = model.opset_imports.get(node.domain, 1)
        if node.domain not in _OWN_DOMAINS and not onnx.defs.has(
            node.op_type, max_inclusive_version=version, domain=node.domain
        ):
            foreign.setdefault(node.op_type, str(node.name))
    if foreign:
        listed = ", ".join(f"{op} (at {name!r})" for op, name in sorted(foreign.items()))
        raise ExportError(
            f"the model uses operations that cannot be converted to ONNX: {listed}. "
            f"{_instead(foreign)}"
        )


def _instead(operations: Collection[str]) -> str:
    """Advice on how to replace operations that ONNX does not have."""
    advice = [_INSTEAD[op] for op in sorted(operations) if op in _INSTEAD]
    if advice:
        return advice[0]
    return "Replace the layers named there with ones made of standard operations."


_SIZED = (
    "Give the input a height and a width, or resize with interpolation 'nearest' or 'bilinear' "
    "and without antialias."
)
_HASHED = "Hash before the model, and export the part behind that layer."
_OF_ASCII = (
    "Without an encoding it changes ASCII letters, which is exported; change others before the "
    "model."
)
_INSTEAD = {
    **dict.fromkeys(("ResizeBicubic", "ResizeArea", "ScaleAndTranslate"), _SIZED),
    **dict.fromkeys(("StringLower", "StringUpper"), _OF_ASCII),
    "AsString": "Whole numbers can be made strings; make them of others before the model.",
    "LookupTableFindV2": "A tf.lookup.StaticHashTable of strings or whole numbers to numbers is "
    "exported.",
    "StaticRegexReplace": "Single characters in brackets, or a plain text, can be replaced; "
    "replace anything else before the model.",
    "StringSplitV2": "A TextVectorization that splits at whitespace is exported; split otherwise "
    "before the model.",
    **dict.fromkeys(("StringToHashBucketFast", "StringToHashBucketStrong", "SparseCross"), _HASHED),
}
