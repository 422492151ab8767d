"""Converts a file to the opset of artifacts."""

import onnx
import onnx_ir as ir

from service.nodes.conditions import ensure, require

#: What artifacts have, and the lowest that the plan's nodes are written for.
LOWEST_OPSET = 18


class OpsetPass(ir.passes.FunctionalPass):
    """Convert a model to the lowest opset of artifacts.

    Precondition: it is of a lower one, and has no local functions.
    Postcondition: it is of that opset.
    """

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        opset = model.opset_imports.get("")
        require(opset is not None and opset < LOWEST_OPSET, f"the model is of opset {opset}")
        require(not model.functions, f"there are local functions: {[*model.functions]}")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """The model, converted, a new one.

        Raises:
            Exception: of ONNX's converter and checker, which have several.
        """
        proto: onnx.ModelProto = ir.to_proto(model)
        converted = onnx.version_converter.convert_version(proto, LOWEST_OPSET)
        onnx.checker.check_model(converted)
        del converted.metadata_props[:]
        converted.metadata_props.extend(proto.metadata_props)
        return ir.passes.PassResult(ir.from_proto(converted), modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        opset = model.opset_imports.get("")
        ensure(opset == LOWEST_OPSET, f"the model is of opset {opset}")
