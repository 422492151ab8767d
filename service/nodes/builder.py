"""Builds named nodes in order, and inserts them into a graph."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from service.nodes.bodies import release
from service.nodes.free_names import FreeNames


class NodeBuilder:
    """Collects new nodes; `replace` or an `insert` method puts them into the graph."""

    def __init__(self, graph: ir.Graph, prefix: str, names: FreeNames) -> None:
        """Build for `graph`, or for a body inside it.

        Args:
            graph: receives the constants.
            prefix: of the names.
            names: unused names in `graph`.
        """
        self._graph = graph
        self._prefix = prefix
        self._names = names
        self._nodes: list[ir.Node] = []

    def add(
        self, op: str, *inputs: ir.Value | None, name: str | None = None, **attributes: Any
    ) -> ir.Value:
        """Add a node with one output, and return the output; `name` must be unused."""
        return self.add_several(op, 1, *inputs, name=name, **attributes)[0]

    def add_several(
        self,
        op: str,
        count: int,
        *inputs: ir.Value | None,
        name: str | None = None,
        **attributes: Any,
    ) -> Sequence[ir.Value]:
        """Add a node with `count` outputs, and return them; see `add`."""
        name = name or self._names(f"{self._prefix}/{op}")
        node = ir.node(op, inputs, attributes, name=name, num_outputs=count)
        for output in node.outputs:
            output.name = self._names(f"{name}/output")
        self._nodes.append(node)
        return node.outputs

    def constant(self, role: str, array: NDArray[Any]) -> ir.Value:
        """A constant of the graph."""
        name = self._names(f"{self._prefix}/{role}")
        value = ir.Value(name=name, const_value=ir.tensor(array, name=name))
        self._graph.register_initializer(value)
        return value

    def scalar(self, role: str, number: float, of: ir.DataType) -> ir.Value:
        """A constant of one number."""
        return self.constant(role, np.array(number, of.numpy()))

    def ints(self, *numbers: int) -> ir.Value:
        """A constant vector of int64."""
        return self.constant("ints", np.array(numbers, np.int64))

    def join(self, *parts: ir.Value) -> ir.Value:
        """The concatenation of vectors."""
        return self.add("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]

    def dims(self, x: ir.Value, start: int = 0, end: int | None = None) -> ir.Value:
        """The shape of `x` from axis `start` to before `end`; a constant if it is known."""
        known = [] if x.shape is None else list(x.shape)[start:end]
        if x.shape is not None and all(isinstance(size, int) for size in known):
            return self.ints(*(int(size) for size in known if isinstance(size, int)))
        if end is None:
            return self.add("Shape", x, start=start)
        return self.add("Shape", x, start=start, end=end)

    def cast(self, x: ir.Value, to: ir.DataType) -> ir.Value:
        """`x`, cast to another element type."""
        y = self.add("Cast", x, to=int(to))
        y.shape, y.type = x.shape, ir.TensorType(to)
        return y

    def filled_like(self, x: ir.Value, number: float, of: ir.DataType) -> ir.Value:
        """A tensor of the shape of `x`, and `number` everywhere."""
        one = ir.tensor(np.array([number], of.numpy()))
        y = self.add("ConstantOfShape", self.add("Shape", x), value=one)
        y.shape, y.type = x.shape, ir.TensorType(of)
        return y

    def insert_before(self, node: ir.Node) -> None:
        """Put the nodes before `node`, in whatever graph that is."""
        (node.graph or self._graph).insert_before(node, self._nodes)

    def insert_after(self, node: ir.Node) -> None:
        """Put the nodes after `node`."""
        (node.graph or self._graph).insert_after(node, self._nodes)

    def append(self) -> None:
        """Put the nodes at the end of the graph."""
        self._graph.extend(self._nodes)

    def replace(self, old: ir.Node, *results: ir.Value) -> None:
        """Replace the node `old` by the new nodes, and its first outputs by `results`."""
        self.insert_before(old)
        for before, new in zip(old.outputs[: len(results)], results, strict=True):
            new.name, new.shape, new.type = before.name, before.shape, before.type
            before.replace_all_uses_with(new, replace_graph_outputs=True)
        release(old)
        (old.graph or self._graph).remove(old, safe=True)


def add_input(
    graph: ir.Graph, name: str, dtype: np.dtype[np.generic] | str, shape: Sequence[int | str | None]
) -> ir.Value:
    """Give the graph another input, the last."""
    kind = ir.TensorType(ir.DataType.from_numpy(np.dtype(dtype)))
    value = ir.Value(name=name, shape=ir.Shape(shape), type=kind)
    graph.inputs.append(value)
    return value
