"""The input `training`, and the dropout that it switches."""

import onnx_ir as ir

from service.manifest import TRAINING_INPUT
from service.nodes.builder import NodeBuilder, add_input
from service.nodes.free_names import FreeNames


def training_input(graph: ir.Graph) -> ir.Value:
    """Add the scalar bool input `training` to `graph`, last; replaces one of that name."""
    before = find_training(graph)
    if before is not None:
        graph.inputs.remove(before)
    training = add_input(graph, TRAINING_INPUT, "bool", [])
    if before is not None:
        before.replace_all_uses_with(training)
    return training


def find_training(graph: ir.Graph) -> ir.Value | None:
    """The input of that name, whatever its type."""
    return next((value for value in graph.inputs if value.name == TRAINING_INPUT), None)


def is_flag(value: ir.Value | None) -> bool:
    """Whether a value is a scalar bool."""
    if value is None or value.dtype != ir.DataType.BOOL:
        return False
    return value.shape is not None and not len(value.shape)


class ActiveDropout:
    """Writes Dropout nodes that `training` switches and that ONNX Runtime leaves alone.

    ONNX Runtime's optimizer deletes a Dropout whose only incoming edge is its data, even if the
    flag is a graph input or a constant. If the only incoming edge is the flag, because the data
    is a graph input, it removes the wrong edge, and then rejects the file. Therefore nodes
    compute both the `training_mode` and the `ratio`: with several edges a Dropout is kept.
    """

    def __init__(self, graph: ir.Graph, names: FreeNames) -> None:
        """For a graph with the input `training`."""
        self._graph = graph
        self._names = names
        self._flag: tuple[ir.Value, ir.Value] | None = None

    def add(self, new: NodeBuilder, name: str, rate: float, x: ir.Value | None) -> ir.Value:
        """Add the Dropout `name` on `x` to `new`; returns its output."""
        if self._flag is None:
            self._flag = self._computed_flag()
        on, zero = self._flag
        drop_rate = new.scalar("rate", rate, ir.DataType.FLOAT)
        live_rate = new.add("Where", on, drop_rate, zero, name=self._names(f"{name}/live_rate"))
        return new.add("Dropout", x, live_rate, on, name=name)

    def _computed_flag(self) -> tuple[ir.Value, ir.Value]:
        """`training` as the output of a node, and the rate of no dropout."""
        new = NodeBuilder(self._graph, TRAINING_INPUT, self._names)
        off = new.add("Not", find_training(self._graph), name=self._names(f"{TRAINING_INPUT}/off"))
        on = new.add("Not", off, name=self._names(f"{TRAINING_INPUT}/on"))
        zero = new.scalar("no_rate", 0.0, ir.DataType.FLOAT)
        new.insert_before(self._graph[0])
        return on, zero


def is_active(dropout: ir.Node) -> bool:
    """Whether ONNX Runtime keeps a Dropout: nodes compute both its flag and its rate."""
    return len(dropout.inputs) == 3 and all(
        value is not None and value.producer() is not None for value in dropout.inputs[1:]
    )
