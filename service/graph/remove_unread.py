"""Removes nodes whose outputs are not read."""

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from service.nodes.bodies import reads, release
from service.nodes.conditions import ensure, require


class RemoveUnreadPass(ir.passes.InPlacePass):
    """Remove the nodes and the constants that no output depends on.

    onnx_ir's own pass keeps what is read by the body of a node that it removes.

    Precondition: there is an output.
    Postcondition: some output depends on each node of the outermost graph.
    """

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        require(len(model.graph.outputs) > 0, "there is no output")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        for node in _unread(model.graph):
            release(node)
        return RemoveUnusedNodesPass()(model)

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        left = [node.name for node in _unread(model.graph)]
        ensure(not left, f"no output depends on {left}")


def _unread(graph: ir.Graph) -> list[ir.Node]:
    """The nodes that no output depends on, from the last to the first."""
    read, unread = set(graph.outputs), []
    for node in reversed(graph):
        if read.isdisjoint(node.outputs):
            unread.append(node)
        else:
            read.update(reads(node))
    return unread
