"""Write out each If that draws in a branch, where its condition is known or follows the switch.

A node inside a body cannot be a site, and a model that is in the file twice, in training
and in inference, is one of two ways in the same graph: both are computed, and a Where
takes the one that the If would have taken.
"""

import onnx_ir as ir

from service.errors import ArtifactError
from service.graph.adopt.folding import RANDOM, Folded, NotKnownError, fold
from service.graph.adopt.free_names import FreeNames, free_names
from service.graph.adopt.replacement import Replacement
from service.graph.adopt.standard_form import inner_nodes


def write_conditionals(graph: ir.Graph, where: str) -> None:
    """Do so in `graph`; an If on something else stays as it is.

    Raises:
        ArtifactError: the branches of an If give tensors of different shapes.
    """
    names = free_names(graph)
    waiting = [node for node in graph if _draws(node)]
    while waiting:
        node = waiting.pop()
        try:
            condition = fold(_condition(node), graph)
        except NotKnownError:
            continue
        moved = _write(node, condition, graph, names, where)
        waiting += [inner for inner in moved if _draws(inner)]


def _draws(node: ir.Node) -> bool:
    is_if = node.op_type == "If" and not node.domain
    return is_if and any(n.op_type in RANDOM and not n.domain for n in inner_nodes(node))


def _condition(node: ir.Node) -> ir.Value:
    value = node.inputs[0]
    if value is None:
        raise NotKnownError("not given")
    return value


def _write(
    node: ir.Node, condition: Folded, graph: ir.Graph, names: FreeNames, where: str
) -> list[ir.Node]:
    """Put the branches in the place of `node`; returns their nodes."""
    then, other = (node.attributes[f"{key}_branch"].as_graph() for key in ("then", "else"))
    if condition.flag is not None:
        return _write_both(node, then, other, graph, names, where)
    taken = then if condition.on else other
    new = Replacement(graph, names, node)
    results = [new.add("Identity", [value]) for value in taken.outputs]
    moved = _move(taken, node, graph, names)
    new.put(*results)
    return moved


def _write_both(
    node: ir.Node, then: ir.Graph, other: ir.Graph, graph: ir.Graph, names: FreeNames, where: str
) -> list[ir.Node]:
    flag, new = _condition(node), Replacement(graph, names, node)
    results = []
    for one, two in zip(then.outputs, other.outputs, strict=True):
        _require_alike(one, two, node, where)
        results.append(new.add("Where", [flag, one, two]))
    off = ir.node("Not", [flag], name=names(f"{node.name}/off"))
    off.outputs[0].name = names(f"{off.name}/output")
    graph.insert_before(node, off)
    _gate(then, flag, names)
    _gate(other, off.outputs[0], names)
    moved = _move(then, node, graph, names) + _move(other, node, graph, names)
    new.put(*results)
    return moved


def _gate(branch: ir.Graph, taken: ir.Value, names: FreeNames) -> None:
    """Have each Dropout of a branch on only where the branch is taken."""
    for node in [*branch.all_nodes()]:
        mode = node.inputs[2] if node.op_type == "Dropout" and len(node.inputs) > 2 else None
        if mode is None or node.graph is None:
            continue
        both = ir.node("And", [mode, taken], name=names(f"{node.name}/taken"))
        both.outputs[0].name = names(f"{both.name}/output")
        node.graph.insert_before(node, both)
        node.replace_input_with(2, both.outputs[0])


def _move(branch: ir.Graph, before: ir.Node, graph: ir.Graph, names: FreeNames) -> list[ir.Node]:
    """Move what is in a branch into the graph, under names that are free there."""
    for value in [*branch.initializers.values()]:
        del branch.initializers[str(value.name)]
        value.name = names(f"{before.name}/{value.name}")
        graph.register_initializer(value)
    nodes = [*branch]
    branch.outputs.clear()
    branch.remove(nodes)
    for value in (value for node in nodes for value in node.outputs):
        value.name = names(f"{before.name}/{value.name}")
    graph.insert_before(before, nodes)
    return nodes


def _require_alike(one: ir.Value, two: ir.Value, node: ir.Node, where: str) -> None:
    """A Where would stretch one to the other's shape."""
    if one.shape is None or one.shape != two.shape:
        raise ArtifactError(
            f"{where}: the branches of If {node.name!r} draw, and give {one.name!r} of shape "
            f"{one.shape} and {two.name!r} of shape {two.shape}. They have to be of one shape."
        )
