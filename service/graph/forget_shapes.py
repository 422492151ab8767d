"""Removes annotated shapes, and the names of sizes."""

import onnx_ir as ir

from service.nodes.conditions import ensure, require


class ForgetShapesPass(ir.passes.InPlacePass):
    """Leave shapes to ONNX Runtime, which infers them.

    ONNX Runtime assumes that sizes of the same name are equal, and reuses a tensor's memory for
    another one of the same size names. But "batch" is B in the trunk and P·B in the tail, a draw
    has one row or B, and inputs whose axes another exporter gave the same name may differ.

    Precondition: the inputs have types.
    Postcondition: inputs and outputs have numeric or unknown sizes; all other values
    have no shape and no type.
    """

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        untyped = [value.name for value in model.graph.inputs if value.type is None]
        require(not untyped, f"the inputs {untyped} have no type")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        outside = (*model.graph.inputs, *model.graph.outputs)
        for node in model.graph.all_nodes():
            for value in set(node.outputs).difference(outside):
                value.shape = value.type = None
        for value in outside:
            if value.shape is not None:
                value.shape = ir.Shape([d if isinstance(d, int) else None for d in value.shape])
        return ir.passes.PassResult(model, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        outside = (*model.graph.inputs, *model.graph.outputs)
        said = [v.name for v in outside if v.shape is not None and _has_names(v.shape)]
        inside = (v for node in model.graph.all_nodes() for v in node.outputs)
        said += [v.name for v in inside if v.type is not None and not v.is_graph_output()]
        ensure(not said, f"{said} still have shapes that are named or noted")


def _has_names(shape: ir.Shape) -> bool:
    return any(isinstance(size, ir.SymbolicDim) and size.value is not None for size in shape)
