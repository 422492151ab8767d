"""Inlines each If that draws in a branch, if its condition is known or follows the switch.

A node inside a body cannot be a site. If the condition follows the switch, both branches are
computed in the outer graph, and a Where selects the result of the one that the If would take.
"""

import onnx_ir as ir

from service.errors import ArtifactError
from service.graph.adopt.folding import Folded, NotKnownError, fold
from service.graph.adopt.unique_names import require_unique_names
from service.nodes.bodies import inner_nodes
from service.nodes.builder import NodeBuilder
from service.nodes.conditions import ensure
from service.nodes.draws import is_drawing
from service.nodes.free_names import FreeNames, free_names


class ConditionalsPass(ir.passes.InPlacePass):
    """Inline each If that draws in a branch; an If with another condition is kept.

    Precondition: every node has a name of its own.
    Postcondition: no If that draws has a condition which is known or follows the switch.
    """

    def __init__(self, where: str) -> None:
        """`where` names the file in errors."""
        super().__init__()
        self._where = where

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        require_unique_names(model.graph)

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model.

        Raises:
            ArtifactError: the branches of an If give tensors of different shapes.
        """
        written = False
        names = free_names(model.graph)
        waiting = _drawing_branches(model.graph)
        while waiting:
            node = waiting.pop()
            condition = _condition(node, model.graph)
            if condition is not None:
                written = True
                moved = _Conditional(node, model.graph, names, self._where).write(condition)
                waiting += [inner for inner in moved if _draws(inner)]
        return ir.passes.PassResult(model, written)

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        nodes = _drawing_branches(model.graph)
        left = [node.name for node in nodes if _condition(node, model.graph) is not None]
        ensure(not left, f"{left} are not written out")


def _drawing_branches(graph: ir.Graph) -> list[ir.Node]:
    return [node for node in graph if _draws(node)]


def _draws(node: ir.Node) -> bool:
    is_if = node.op_type == "If" and not node.domain
    return is_if and any(map(is_drawing, inner_nodes(node)))


def _condition(node: ir.Node, graph: ir.Graph) -> Folded | None:
    """The condition of an If, if it is known or follows the switch."""
    value = node.inputs[0]
    try:
        return None if value is None else fold(value, graph)
    except NotKnownError:
        return None


class _Conditional:
    """An If to be inlined."""

    def __init__(self, node: ir.Node, graph: ir.Graph, names: FreeNames, where: str) -> None:
        self._node = node
        self._graph = graph
        self._names = names
        self._where = where
        self._new = NodeBuilder(graph, str(node.name), names)

    def write(self, condition: Folded) -> list[ir.Node]:
        """Replace it by its branches; returns their nodes."""
        node, new = self._node, self._new
        then, other = (node.attributes[f"{key}_branch"].as_graph() for key in ("then", "else"))
        if condition.flag is not None:
            results = self._selected(then, other)
            moved = self._move(then) + self._move(other)
        else:
            taken = then if condition.on else other
            results = [new.add("Identity", value) for value in taken.outputs]
            moved = self._move(taken)
        new.replace(node, *results)
        return moved

    def _selected(self, then: ir.Graph, other: ir.Graph) -> list[ir.Value]:
        """The outputs of the If if both branches are computed."""
        node, flag = self._node, self._node.inputs[0]
        first = NodeBuilder(self._graph, str(node.name), self._names)
        off = first.add("Not", flag)
        results = []
        for one, two in zip(then.outputs, other.outputs, strict=True):
            self._require_alike(one, two)
            results.append(self._new.add("Where", flag, one, two))
        first.insert_before(node)
        self._gate(then, flag)
        self._gate(other, off)
        return results

    def _gate(self, branch: ir.Graph, taken: ir.Value | None) -> None:
        """Activate each Dropout of a branch only if the branch is taken."""
        for node in [*branch.all_nodes()]:
            mode = node.inputs[2] if node.op_type == "Dropout" and len(node.inputs) > 2 else None
            if mode is not None:
                new = NodeBuilder(self._graph, str(node.name), self._names)
                both = new.add("And", mode, taken)
                new.insert_before(node)
                node.replace_input_with(2, both)

    def _move(self, branch: ir.Graph) -> list[ir.Node]:
        """Move the nodes of a branch into the graph, under unused names."""
        before = self._node
        for value in [*branch.initializers.values()]:
            del branch.initializers[str(value.name)]
            value.name = self._names(f"{before.name}/{value.name}")
            self._graph.register_initializer(value)
        nodes = [*branch]
        branch.outputs.clear()
        branch.remove(nodes)
        for value in (value for node in nodes for value in node.outputs):
            value.name = self._names(f"{before.name}/{value.name}")
        self._graph.insert_before(before, nodes)
        return nodes

    def _require_alike(self, one: ir.Value, two: ir.Value) -> None:
        """Check that shapes agree, since a Where would broadcast them."""
        if one.shape is None or one.shape != two.shape:
            raise ArtifactError(
                f"{self._where}: the branches of If {self._node.name!r} draw, and give "
                f"{one.name!r} of shape {one.shape} and {two.name!r} of shape {two.shape}. They "
                "have to be of one shape."
            )
