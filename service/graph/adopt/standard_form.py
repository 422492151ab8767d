"""Bring any ONNX file into a form in which its random nodes can be told apart.

Postcondition, of a copy:
1. no local functions: what they draw is in the graph itself;
2. opset 18 or above;
3. no node that nothing reads, and each node has a name that no other has, in the
   graph or in the body of a loop or branch;
4. an initializer is no input;
5. element types and shapes are noted as far as ONNX can infer them;
6. no row depends on the other rows of its batch by a normalisation in training.
"""

from collections.abc import Iterator

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import (
    InlinePass,
    NameFixPass,
    RemoveUnusedNodesPass,
    RemoveUnusedOpsetsPass,
)

from service.errors import ArtifactError
from service.graph.adopt.free_names import FreeNames

#: What artifacts have, and the lowest that the plan's nodes are written for.
LOWEST_OPSET = 18
#: The format version that came with it.
_IR_VERSION = 8
#: What ONNX's own domain, "", may also be called.
_LONG_NAME = "ai.onnx"
#: From this opset on, BatchNormalization says by an attribute that it trains.
_TRAINING_MODE_OPSET = 14


def standard_form(model: ir.Model, where: str) -> ir.Model:
    """A copy of `model` in the form above; `where` names the file in errors.

    Raises:
        ArtifactError: its weights are in another file, its functions or its opset
            cannot be converted, or a BatchNormalization trains.
    """
    # Not clone(): that shares the tensors, and a renamed value renames its tensor.
    copy = ir.from_proto(ir.to_proto(model))
    for imports in (copy.opset_imports, *(f.opset_imports for f in copy.functions.values())):
        if _LONG_NAME in imports:
            imports[""] = imports.pop(_LONG_NAME)
    _require_weights(copy, where)
    _inline(copy, where)
    _require_separate_rows(copy, where)
    _drop_initialized_inputs(copy.graph)
    copy = _infer(_with_opset(copy, where))
    for clean in (RemoveUnusedNodesPass(), RemoveUnusedOpsetsPass()):
        clean(copy)
    _name_nodes(copy.graph)
    NameFixPass()(copy)
    return copy


def inner_nodes(node: ir.Node) -> Iterator[ir.Node]:
    """The nodes in the bodies of a loop or branch, and in the bodies inside those."""
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            yield from attribute.as_graph().all_nodes()
        elif attribute.type == ir.AttributeType.GRAPHS:
            for body in attribute.as_graphs():
                yield from body.all_nodes()


def _require_weights(model: ir.Model, where: str) -> None:
    for value in model.graph.initializers.values():
        tensor = value.const_value
        if isinstance(tensor, ir.ExternalTensor):
            raise ArtifactError(
                f"{where} has its weights in another file, {str(tensor.location)!r}; a model is "
                "one file here. Export it as one: from PyTorch with external_data=False, or "
                "save it again with onnx.save(model, path, save_as_external_data=False)."
            )


def _inline(model: ir.Model, where: str) -> None:
    """Rule 1."""
    try:
        InlinePass()(model)
    except Exception as error:  # the pass has no error of its own
        raise ArtifactError(
            f"{where} has local functions that cannot be written out in the graph: "
            f"{_reason(error)}. Write them out before: onnx.inliner.inline_local_functions."
        ) from error


def _require_separate_rows(model: ir.Model, where: str) -> None:
    """Rule 6. To be checked early: removing unused outputs would hide it."""
    by_outputs = model.opset_imports.get("", LOWEST_OPSET) < _TRAINING_MODE_OPSET
    for node in model.graph.all_nodes():
        if node.op_type != "BatchNormalization" or node.domain:
            continue
        mode = node.attributes.get("training_mode")
        trains = mode is not None and mode.as_int() == 1
        if trains or (by_outputs and sum(bool(value.name) for value in node.outputs) > 1):
            raise ArtifactError(
                f"{where}: BatchNormalization {label(node)!r} is in training mode, where it mixes "
                "the rows of a batch, so that an answer would depend on the rows beside it. "
                "Export it in eval mode, and the dropout alone in train mode."
            )


def _drop_initialized_inputs(graph: ir.Graph) -> None:
    """Rule 4. In old files every weight is an input, too, with itself as the default."""
    graph.inputs[:] = [v for v in graph.inputs if v.name not in graph.initializers]


def _with_opset(model: ir.Model, where: str) -> onnx.ModelProto:
    """Rule 2."""
    opset = model.opset_imports.get("", LOWEST_OPSET)
    model.ir_version = max(model.ir_version, _IR_VERSION)
    proto: onnx.ModelProto = ir.to_proto(model)
    if opset >= LOWEST_OPSET:
        return proto
    try:
        converted = onnx.version_converter.convert_version(proto, LOWEST_OPSET)
        onnx.checker.check_model(converted)
    except Exception as error:  # the converter raises RuntimeError, or what its adapters raise
        raise ArtifactError(
            f"{where} is of opset {opset}, and cannot be converted to {LOWEST_OPSET}: "
            f"{_reason(error)}. Export it with opset_version={LOWEST_OPSET} or above."
        ) from error
    del converted.metadata_props[:]
    converted.metadata_props.extend(proto.metadata_props)
    return converted


def _infer(proto: onnx.ModelProto) -> ir.Model:
    """Rule 5."""
    try:
        return ir.from_proto(onnx.shape_inference.infer_shapes(proto, data_prop=True))
    except Exception:  # as for an operator whose attributes ONNX cannot make sense of
        return ir.from_proto(proto)


def _name_nodes(graph: ir.Graph) -> None:
    """Rule 3: the own name, or that of the first output, and a number where it is taken."""
    names = FreeNames()
    for node in graph.all_nodes():
        node.name = names(label(node))


def label(node: ir.Node) -> str:
    """What to call a node that may have no name."""
    named = [str(value.name) for value in node.outputs if value.name]
    return node.name or (named[0] if named else node.op_type)


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[-1] if lines else type(error).__name__).rstrip(".")
