"""Makes the batch of a model dynamic that was exported for a fixed number of rows."""

import onnx_ir as ir

from service.graph.infer_shapes import InferShapesPass
from service.nodes.conditions import ensure, require


class DynamicBatchPass(ir.passes.FunctionalPass):
    """Make axis 0 of inputs and outputs dynamic; verification decides whether it works.

    Precondition: some input fixes its number of rows.
    Postcondition: no input fixes it any more, and all other shapes are what follows from that.
    """

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        require(any(map(_fixes, model.graph.inputs)), "no input fixes its number of rows")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """The model as if its batch were dynamic, a new one."""
        free = model.clone()
        for value in free.graph.inputs:
            if value.shape is not None and len(value.shape):
                value.shape = ir.Shape(["batch", *value.shape[1:]])
        outputs = set(free.graph.outputs)
        for value in (value for node in free.graph.all_nodes() for value in node.outputs):
            if value in outputs and value.shape is not None:
                value.shape = ir.Shape([None, *value.shape[1:]])
            else:
                value.shape = None
        return ir.passes.PassResult(InferShapesPass()(free).model, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        fixed = [value.name for value in model.graph.inputs if _fixes(value)]
        ensure(not fixed, f"{fixed} still fix their number of rows")


def _fixes(value: ir.Value) -> bool:
    return value.shape is not None and len(value.shape) > 0 and isinstance(value.shape[0], int)
