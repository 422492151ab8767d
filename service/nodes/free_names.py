"""Names that nothing in a graph has yet."""

from collections.abc import Iterator

import onnx_ir as ir


class FreeNames:
    """Gives out names, each once."""

    def __init__(self, *taken: str) -> None:
        """Of which `taken` are none."""
        self._taken = set(taken)

    def __call__(self, wish: str) -> str:
        """`wish`, or with a number behind it if something has that name."""
        name, number = wish, 1
        while name in self._taken:
            number += 1
            name = f"{wish}_{number}"
        self._taken.add(name)
        return name


def free_names(graph: ir.Graph) -> FreeNames:
    """Names that no node and no value has, in `graph` or in the bodies of its nodes."""
    return FreeNames(*_names(graph))


def free_prefix(graph: ir.Graph, wish: str) -> str:
    """`wish` and a slash, or with a number behind it, so that no name of `graph` begins so."""
    return FreeNames(*(name.split("/")[0] for name in _names(graph)))(wish) + "/"


def _names(graph: ir.Graph) -> Iterator[str]:
    yield from (str(value.name) for value in graph.inputs)
    yield from graph.initializers
    for node in graph.all_nodes():
        yield str(node.name)
        yield from (str(value.name) for value in node.outputs)
        yield from (str(value.name) for value in node.inputs if value is not None)
