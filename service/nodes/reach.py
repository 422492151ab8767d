"""Dependencies of values: above all, which of them a random draw reaches."""

from collections.abc import Callable, Iterable, Mapping

import onnx_ir as ir

from service.nodes.bodies import inner_nodes, reads

Source = ir.Node | ir.Value


def reach(
    graph: ir.Graph,
    sources: Iterable[Source],
    passes_on: Callable[[ir.Node], bool] = lambda node: True,
) -> Mapping[ir.Value, frozenset[Source]]:
    """Every value of `graph` that some of `sources` reach, with those that reach it.

    A source reaches what is computed from it, also by way of what bodies of loops and
    branches capture. A node in a body reaches what the node around the body makes.

    Args:
        graph: in topological order.
        sources: nodes, or inputs of `graph`.
        passes_on: whether what reaches the inputs of a node reaches its outputs.
    """
    wanted = frozenset(sources)
    found: dict[ir.Value, frozenset[Source]] = {
        value: frozenset([value]) for value in wanted if isinstance(value, ir.Value)
    }
    for node in graph:
        # Mostly one: then no set has to be made.
        sets = {found[value] for value in reads(node) if value in found and passes_on(node)}
        own = wanted.intersection((node, *inner_nodes(node)))
        if own:
            sets.add(own)
        if sets:
            union = sets.pop().union(*sets)
            found.update(dict.fromkeys(node.outputs, union))
    return found


def named(graph: ir.Graph, names: Iterable[str]) -> list[ir.Node]:
    """The nodes of `graph`, and of the bodies in it, that have one of `names`."""
    wanted = frozenset(names)
    return [node for node in graph.all_nodes() if node.name in wanted]
