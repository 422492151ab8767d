"""Unused names in a graph."""

from collections.abc import Iterator

import onnx_ir as ir


class FreeNames:
    """Generates unused names, each once."""

    def __init__(self, *taken: str) -> None:
        """Names other than those in `taken`."""
        self._taken = set(taken)

    def __call__(self, wish: str) -> str:
        """`wish`, with a number appended if the name is used."""
        name, number = wish, 1
        while name in self._taken:
            number += 1
            name = f"{wish}_{number}"
        self._taken.add(name)
        return name


def free_names(graph: ir.Graph) -> FreeNames:
    """Names that no node and no value of `graph` and its bodies has."""
    return FreeNames(*_names(graph))


def free_prefix(graph: ir.Graph, wish: str) -> str:
    """A prefix `wish/`, with a number added if a name of `graph` begins with it."""
    return FreeNames(*(name.split("/")[0] for name in _names(graph)))(wish) + "/"


def _names(graph: ir.Graph) -> Iterator[str]:
    yield from (str(value.name) for value in graph.inputs)
    yield from graph.initializers
    for node in graph.all_nodes():
        yield str(node.name)
        yield from (str(value.name) for value in node.outputs)
        yield from (str(value.name) for value in node.inputs if value is not None)
