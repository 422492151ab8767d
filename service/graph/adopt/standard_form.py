"""Converts any ONNX file to a form in which its random nodes can be analyzed.

Postcondition, of a copy:
1. no local functions: their nodes are in the graph itself;
2. opset 18 or above;
3. no node that nothing reads, and each node has a name that no other has, in the
   graph or in the body of a loop or branch;
4. an initializer is no input;
5. element types and shapes are annotated as far as ONNX can infer them;
6. no normalization is in training mode, where rows of a batch depend on each other.
"""

import onnx_ir as ir
from onnx_ir.passes.common import (
    InlinePass,
    NameFixPass,
    RemoveInitializersFromInputsPass,
    RemoveUnusedOpsetsPass,
)

from service.errors import ArtifactError
from service.graph.adopt.opset import LOWEST_OPSET, OpsetPass
from service.graph.adopt.short_domain import ShortDomainPass
from service.graph.adopt.unique_names import UniqueNamesPass, label
from service.graph.infer_shapes import InferShapesPass
from service.graph.remove_unread import RemoveUnreadPass

#: The format version that came with the lowest opset.
_IR_VERSION = 8
#: From this opset on, BatchNormalization has an attribute for training mode.
_TRAINING_MODE_OPSET = 14


def standard_form(model: ir.Model, where: str) -> ir.Model:
    """A copy of `model` in the form above; `where` names the file in errors.

    Raises:
        ArtifactError: its weights are in another file, its functions or its opset
            cannot be converted, or a BatchNormalization trains.
    """
    # Not clone(), which shares tensors: renaming a value would rename its tensor.
    own = ir.from_proto(ir.to_proto(model))
    ShortDomainPass()(own)
    _require_weights(own, where)
    _inline(own, where)
    _require_separate_rows(own, where)
    RemoveInitializersFromInputsPass()(own)
    own.ir_version = max(own.ir_version, _IR_VERSION)
    own = InferShapesPass()(_with_opset(own, where)).model
    for step in (
        RemoveUnreadPass(),
        RemoveUnusedOpsetsPass(),
        UniqueNamesPass(),
        NameFixPass(),
    ):
        step(own)
    return own


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
    model.functions.clear()  # the remaining ones are not called


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


def _with_opset(model: ir.Model, where: str) -> ir.Model:
    """Rule 2."""
    opset = model.opset_imports.get("", LOWEST_OPSET)
    if opset >= LOWEST_OPSET:
        return model
    try:
        return OpsetPass()(model).model
    except Exception as error:  # the converter raises RuntimeError, or what its adapters raise
        raise ArtifactError(
            f"{where} is of opset {opset}, and cannot be converted to {LOWEST_OPSET}: "
            f"{_reason(error)}. Export it with opset_version={LOWEST_OPSET} or above."
        ) from error


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[-1] if lines else type(error).__name__).rstrip(".")
