"""Removes everything that no output of a model needs."""

import onnx_ir as ir

from service.graph.remove_unread import RemoveUnreadPass
from service.nodes.conditions import ensure, require


class PrunePass(ir.passes.InPlacePass):
    """Remove the nodes, the constants and the inputs that nothing reads, and the metadata.

    Precondition: there is an output.
    Postcondition: each input is read or an output.
    """

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        require(len(model.graph.outputs) > 0, "there is no output")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        RemoveUnreadPass()(model)
        graph = model.graph
        graph.inputs[:] = [value for value in graph.inputs if _is_read(value)]
        model.metadata_props.clear()
        return ir.passes.PassResult(model, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        unread = [value.name for value in model.graph.inputs if not _is_read(value)]
        ensure(not unread, f"nothing reads the inputs {unread}")


def _is_read(value: ir.Value) -> bool:
    return bool(value.uses()) or value.is_graph_output()
