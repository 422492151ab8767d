"""The graphs inside nodes: the bodies of loops and branches."""

from collections.abc import Iterator

import onnx_ir as ir


def bodies(node: ir.Node) -> Iterator[ir.Graph]:
    """The bodies of a loop or of a branch."""
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            yield attribute.as_graph()
        elif attribute.type == ir.AttributeType.GRAPHS:
            yield from attribute.as_graphs()


def inner_nodes(node: ir.Node) -> Iterator[ir.Node]:
    """The nodes in the bodies of a node, and in the bodies inside those."""
    for body in bodies(node):
        yield from body.all_nodes()


def reads(node: ir.Node) -> Iterator[ir.Value]:
    """The values that a node reads, including those captured by its bodies."""
    yield from (value for value in node.inputs if value is not None)
    for body in bodies(node):
        yield from _captures(body)


def release(node: ir.Node) -> None:
    """Detach the bodies of a node to be removed from the values they read."""
    for inner in inner_nodes(node):
        for index in range(len(inner.inputs)):
            inner.replace_input_with(index, None)


def _captures(body: ir.Graph) -> Iterator[ir.Value]:
    inside = [body, *(inner for node in body.all_nodes() for inner in bodies(node))]
    own = {value for node in body.all_nodes() for value in node.outputs}
    for graph in inside:
        own.update(graph.inputs, graph.initializers.values())
    used = [value for node in body.all_nodes() for value in node.inputs if value is not None]
    yield from (value for value in [*used, *body.outputs] if value not in own)
