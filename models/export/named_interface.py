"""Give a graph the inputs and outputs of an artifact."""

from collections.abc import Sequence

import onnx_ir as ir

from service.manifest import TRAINING_INPUT
from service.nodes.conditions import ensure, require
from service.nodes.training import find_training, is_flag, training_input


class NamedInterfacePass(ir.passes.InPlacePass):
    """Name and order the inputs and outputs.

    Precondition: the graph has the inputs, in any order, and as many outputs.
    Postcondition: inputs and outputs have the model's names, in its order, and a dynamic axis 0
    named "batch"; the last input is `training`, a scalar bool.
    """

    def __init__(self, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """Take the names of the inputs and outputs, in the model's order."""
        super().__init__()
        self._inputs = inputs
        self._outputs = outputs

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        lacking = unread_inputs(model.graph, self._inputs)
        require(not lacking, f"nothing reads the inputs {lacking}")
        count = len(model.graph.outputs)
        require(count == len(self._outputs), f"there are {count} outputs: {self._outputs}")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        graph = model.graph
        for value, name in zip(graph.outputs, self._outputs, strict=True):
            value.name = name
        training = training_input(graph)
        by_name = {value.name: value for value in graph.inputs}
        rows = [by_name[name] for name in self._inputs]
        graph.inputs[:] = [*rows, training]
        for value in (*rows, *graph.outputs):
            if value.shape is not None and len(value.shape):
                value.shape = ir.Shape(["batch", *value.shape[1:]])
        return ir.passes.PassResult(model, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        *rows, training = model.graph.inputs
        named = [value.name for value in rows], [value.name for value in model.graph.outputs]
        ensure(named == ([*self._inputs], [*self._outputs]), f"inputs and outputs are {named}")
        last = training is find_training(model.graph) and is_flag(training)
        ensure(last, f"the last input is {training.name!r}, and not {TRAINING_INPUT!r}")


def unread_inputs(graph: ir.Graph, names: Sequence[str]) -> list[str]:
    """Names of the inputs that no node reads; tf2onnx drops some of them."""
    read = {value.name for value in graph.inputs if value.uses()}
    return [name for name in names if name not in read]
