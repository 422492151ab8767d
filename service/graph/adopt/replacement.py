"""Nodes that take the place of one node."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from service.graph.adopt.free_names import FreeNames
from service.manifest import TRAINING_INPUT


class Replacement:
    """Nodes in the making, in order, and named after the node whose place they take."""

    def __init__(self, graph: ir.Graph, names: FreeNames, node: ir.Node) -> None:
        """For `node`, of `graph` or of a body inside it."""
        self._graph = graph
        self._names = names
        self._node = node
        self._nodes: list[ir.Node] = []

    def add(
        self,
        op: str,
        inputs: Sequence[ir.Value],
        attributes: Mapping[str, float | int | ir.TensorProtocol] | None = None,
        name: str | None = None,
    ) -> ir.Value:
        """Add a node with one output, and return that; `name` has to be a free one."""
        name = name or self._names(f"{self._node.name}/{op}")
        node = ir.node(op, inputs, attributes, name=name)
        node.outputs[0].name = self._names(f"{name}/output")
        self._nodes.append(node)
        return node.outputs[0]

    def number(self, role: str, number: float, of: ir.DataType) -> ir.Value:
        """A constant."""
        return scalar(self._graph, self._names(f"{self._node.name}/{role}"), number, of)

    def cast(self, x: ir.Value, to: ir.DataType) -> ir.Value:
        """x, with other elements."""
        y = self.add("Cast", [x], {"to": int(to)})
        y.shape, y.type = x.shape, ir.TensorType(to)
        return y

    def filled_like(self, x: ir.Value, number: float, of: ir.DataType) -> ir.Value:
        """A tensor of the shape of x, and `number` everywhere."""
        one = ir.tensor(np.array([number], of.numpy()))
        y = self.add("ConstantOfShape", [self.add("Shape", [x])], {"value": one})
        y.shape, y.type = x.shape, ir.TensorType(of)
        return y

    def put(self, *results: ir.Value) -> None:
        """Put the nodes in, with `results` in the place of the first outputs of the old node."""
        graph = self._node.graph or self._graph
        replaced = self._node.outputs[: len(results)]
        graph.insert_before(self._node, self._nodes)
        for old, new in zip(replaced, results, strict=True):
            new.name, new.shape, new.type = old.name, old.shape, old.type
            old.replace_all_uses_with(new, replace_graph_outputs=True)
        graph.remove(self._node, safe=True)


def live_flag(graph: ir.Graph, names: FreeNames) -> tuple[ir.Value, ir.Value]:
    """`training` as the output of a node, and the rate that is no rate, at the graph's start.

    ONNX Runtime deletes a Dropout whose flag is a graph input or a constant, and takes
    one apart at the wrong edge whose rate is a constant. Both come from nodes, so that
    it leaves the Dropout alone.
    """
    training = next(value for value in graph.inputs if value.name == TRAINING_INPUT)
    off = ir.node("Not", [training], name=names(f"{TRAINING_INPUT}/off"))
    on = ir.node("Not", [off.outputs[0]], name=names(f"{TRAINING_INPUT}/on"))
    for node in (off, on):
        node.outputs[0].name = names(f"{node.name}/output")
    graph.insert_before(graph[0], [off, on])
    zero = scalar(graph, names(f"{TRAINING_INPUT}/no_rate"), 0.0, ir.DataType.FLOAT)
    return on.outputs[0], zero


def scalar(graph: ir.Graph, name: str, number: float, of: ir.DataType) -> ir.Value:
    """A constant of the graph."""
    value = ir.Value(name=name, const_value=ir.tensor(np.array(number, of.numpy()), name=name))
    graph.register_initializer(value)
    return value
