"""Nodes to put into a graph, in order and named after what they are for."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir


class NewNodes:
    """Nodes in the making; `insert_before` or `replace` puts them into the graph."""

    def __init__(self, graph: ir.Graph, name: str) -> None:
        """Nodes for `graph`, each named `name` and a number."""
        self._graph = graph
        self._name = name
        self._nodes: list[ir.Node] = []
        self._constants = 0

    def add(self, op: str, *inputs: ir.Value | None, **attributes: int | Sequence[int]) -> ir.Value:
        """Add a node with one output; returns that."""
        node = ir.node(op, inputs, attributes)
        node.name = node.outputs[0].name = f"{self._name}/{op}:{len(self._nodes)}"
        self._nodes.append(node)
        return node.outputs[0]

    def ints(self, *numbers: int) -> ir.Value:
        """A constant vector of int64."""
        name = f"{self._name}/ints:{self._constants}"
        self._constants += 1
        value = ir.Value(name=name, const_value=ir.tensor(np.array(numbers, np.int64), name=name))
        self._graph.register_initializer(value)
        return value

    def join(self, *parts: ir.Value) -> ir.Value:
        """Vectors, one after the other."""
        return self.add("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]

    def dims(self, x: ir.Value, start: int = 0, end: int | None = None) -> ir.Value:
        """The shape of `x` from axis `start` to before `end`: constant, where it is known."""
        known = [] if x.shape is None else list(x.shape)[start:end]
        if x.shape is not None and all(isinstance(size, int) for size in known):
            return self.ints(*(int(size) for size in known if isinstance(size, int)))
        if end is None:
            return self.add("Shape", x, start=start)
        return self.add("Shape", x, start=start, end=end)

    def insert_before(self, node: ir.Node) -> None:
        """Put the nodes before `node`, in whatever graph that is."""
        (node.graph or self._graph).insert_before(node, self._nodes)

    def append(self) -> None:
        """Put the nodes at the end of the graph."""
        self._graph.extend(self._nodes)

    def replace(self, old: ir.Node, new: ir.Value) -> None:
        """Put the nodes where `old` was, and `new` in the place of its first output."""
        self.insert_before(old)
        before = old.outputs[0]
        new.shape, new.type = before.shape, before.type
        before.name, new.name = f"{before.name}/before", before.name
        before.replace_all_uses_with(new, replace_graph_outputs=True)
        (old.graph or self._graph).remove(old, safe=True)


def add_input(
    graph: ir.Graph, name: str, dtype: np.dtype[np.generic] | str, shape: Sequence[int | str | None]
) -> ir.Value:
    """Give the graph another input."""
    kind = ir.TensorType(ir.DataType.from_numpy(np.dtype(dtype)))
    value = ir.Value(name=name, shape=ir.Shape(shape), type=kind)
    graph.inputs.append(value)
    return value
