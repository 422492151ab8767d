"""Give every node a name."""

from collections import Counter

import onnx_ir as ir

from service.nodes.conditions import ensure, require
from service.nodes.free_names import FreeNames


class UniqueNamesPass(ir.passes.InPlacePass):
    """Name each node by its own name, or by that of its first output, and by a number.

    Precondition: there are no local functions, whose nodes would keep their names.
    Postcondition: each node has a name that no other has, in the graph or in a body.
    """

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        require(not model.functions, f"there are local functions: {[*model.functions]}")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        names, modified = FreeNames(), False
        for node in model.graph.all_nodes():
            name = names(label(node))
            modified |= name != node.name
            node.name = name
        return ir.passes.PassResult(model, modified)

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        ensure(not _same(model.graph), f"several nodes have the names {_same(model.graph)}")


def require_unique_names(graph: ir.Graph) -> None:
    """Raise `onnx_ir.passes.PreconditionError` unless each node has a name of its own."""
    require(not _same(graph), f"several nodes have the names {_same(graph)}")


def label(node: ir.Node) -> str:
    """What to call a node that may have no name."""
    named = [str(value.name) for value in node.outputs if value.name]
    return node.name or (named[0] if named else node.op_type)


def _same(graph: ir.Graph) -> list[str]:
    counts = Counter(str(node.name or "") for node in graph.all_nodes())
    return [name for name, count in counts.items() if count > 1 or not name]
