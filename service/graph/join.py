"""Trunk and tail as one graph, for calls that need each once."""

from collections.abc import Iterable

import onnx
import onnx_ir as ir

from service.nodes.conditions import ensure, require
from service.nodes.free_names import free_prefix


class JoinTrunkPass(ir.passes.FunctionalPass):
    """Put a trunk in front of its tail; a call of a small model saves a second call's overhead.

    Precondition: both are of the same opsets, and what the tail reads of the trunk has the name
    of the trunk's output; the tail computes nothing of that name.
    Postcondition: its inputs are those of both except the trunk's outputs, its outputs those of
    the tail. It computes the same as the two graphs one after the other.
    """

    def __init__(self, trunk: ir.Model) -> None:
        """Of this trunk, which stays as it is."""
        super().__init__()
        self._trunk = trunk

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        require(model.opset_imports == self._trunk.opset_imports, "the opsets are not the same")
        twice = self._made() & _names(value for node in model.graph for value in node.outputs)
        require(not twice, f"both compute {sorted(twice)}")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Both, a new model."""
        whole: onnx.ModelProto = ir.to_proto(model)
        first: onnx.ModelProto = onnx.compose.add_prefix(
            ir.to_proto(self._trunk),
            free_prefix(model.graph, "trunk"),
            rename_inputs=False,
            rename_outputs=False,
        )
        inputs = {value.name: value for value in (*first.graph.input, *whole.graph.input)}
        nodes = [*first.graph.node, *whole.graph.node]
        for part in (whole.graph.node, whole.graph.input):
            del part[:]
        whole.graph.node.extend(nodes)
        made = self._made()
        whole.graph.input.extend(value for name, value in inputs.items() if name not in made)
        whole.graph.initializer.extend(first.graph.initializer)
        return ir.passes.PassResult(ir.from_proto(whole), modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        inputs, made = _names(model.graph.inputs), self._made()
        ensure(made.isdisjoint(inputs), f"{sorted(made & inputs)} are still inputs")
        lost = _names(self._trunk.graph.inputs) - inputs
        ensure(not lost, f"the inputs {sorted(lost)} of the trunk are gone")

    def _made(self) -> set[str]:
        return _names(self._trunk.graph.outputs)


def _names(values: Iterable[ir.Value]) -> set[str]:
    return {str(value.name) for value in values}
