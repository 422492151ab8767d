"""Replaces the file's own switches by the input `training`."""

from collections.abc import Mapping

import onnx_ir as ir

from service.errors import ArtifactError
from service.manifest import TRAINING_INPUT
from service.nodes.builder import NodeBuilder
from service.nodes.conditions import ensure, require
from service.nodes.free_names import FreeNames, free_names
from service.nodes.training import find_training, is_flag, training_input


class OwnSwitchesPass(ir.passes.InPlacePass):
    """Add the input `training`, as the last one, and replace the file's own switches by it.

    Precondition: the switches are inputs.
    Postcondition: they are no longer inputs, and `training` is the last input, a scalar bool.
    """

    def __init__(self, switches: Mapping[str, bool], where: str) -> None:
        """Of a file.

        Args:
            switches: the names of the inputs that switch dropouts, and whether false means on.
            where: names the file in errors.
        """
        super().__init__()
        self._switches = switches
        self._where = where

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        lacking = self._switches.keys() - {str(value.name) for value in model.graph.inputs}
        require(not lacking, f"the switches {sorted(lacking)} are no inputs")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model.

        Raises:
            ArtifactError: the name belongs to something else.
        """
        graph = model.graph
        own = {v: self._switches.get(str(v.name), False) for v in graph.inputs if self._is_own(v)}
        graph.inputs[:] = [value for value in graph.inputs if value not in own]
        names = free_names(graph)
        for value in own:
            value.name = names(f"{value.name}/own")
        for value in _values_inside(graph):
            if value.name == TRAINING_INPUT and value.is_graph_output():
                raise self._taken("an output")
            if value.name == TRAINING_INPUT:
                value.name = names(f"{TRAINING_INPUT}/value")
        training = training_input(graph)
        for value, turned in own.items():
            flag = _turned(graph, training, value, names) if turned else training
            value.replace_all_uses_with(flag)
        return ir.passes.PassResult(model, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        inputs = model.graph.inputs
        last = inputs[-1] if inputs else None
        ensure(last is find_training(model.graph) and is_flag(last), "`training` is not the last")
        left = [value.name for value in inputs[:-1] if value.name in self._switches]
        ensure(not left, f"the switches {left} are still inputs")

    def _is_own(self, value: ir.Value) -> bool:
        """Whether `training` takes the place of an input."""
        if value.name in self._switches:
            return True
        if value.name == TRAINING_INPUT and not is_flag(value):
            raise self._taken("an input that is no scalar bool")
        return value.name == TRAINING_INPUT

    def _taken(self, what: str) -> ArtifactError:
        return ArtifactError(
            f"{self._where} calls {what} {TRAINING_INPUT!r}, and that is the name of the scalar "
            "bool input which switches the dropout on. Give it another name."
        )


def _turned(graph: ir.Graph, training: ir.Value, own: ir.Value, names: FreeNames) -> ir.Value:
    new = NodeBuilder(graph, str(own.name), names)
    turned = new.add("Not", training)
    new.insert_before(graph[0])
    return turned


def _values_inside(graph: ir.Graph) -> list[ir.Value]:
    made = [value for node in graph.all_nodes() for value in node.outputs]
    return [*made, *graph.initializers.values()]
