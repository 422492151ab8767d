"""Annotates element types and shapes as far as ONNX can infer them."""

import onnx
import onnx_ir as ir

from service.nodes.conditions import ensure, require


class InferShapesPass(ir.passes.FunctionalPass):
    """Infer types and shapes of values.

    onnx_ir's own pass treats sequences as tensors, and warns where this pass is silent.

    Precondition: the inputs have types.
    Postcondition: inputs and outputs have types. Where ONNX cannot infer anything, for example for
    an operator with attributes that it does not know, the model is unchanged.
    """

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        untyped = [value.name for value in model.graph.inputs if value.type is None]
        require(not untyped, f"the inputs {untyped} have no type")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """The model with what was inferred, a new one."""
        proto = ir.to_proto(model)
        try:
            inferred = onnx.shape_inference.infer_shapes(proto, data_prop=True)
        except Exception:  # ONNX has several, and the model can do without
            return ir.passes.PassResult(ir.from_proto(proto), modified=False)
        return ir.passes.PassResult(ir.from_proto(inferred), modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        outside = (*model.graph.inputs, *model.graph.outputs)
        untyped = [value.name for value in outside if value.type is None]
        ensure(not untyped, f"{untyped} have no type")
