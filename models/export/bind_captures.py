"""Replace the captured tensors of a traced function by constants."""

from collections.abc import Mapping
from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray

from service.nodes.conditions import ensure


class BindCapturesPass(ir.passes.InPlacePass):
    """Turn the inputs that tf2onnx made of captured tensors into constants.

    Precondition: none; a captured tensor that no node reads is not an input.
    Postcondition: no captured tensor is an input.
    """

    def __init__(self, captured: Mapping[str, NDArray[Any]]) -> None:
        """Take the captured tensors by the names that they have as inputs."""
        super().__init__()
        self._captured = captured

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        graph = model.graph
        bound = [value for value in graph.inputs if value.name in self._captured]
        graph.inputs[:] = [value for value in graph.inputs if value not in bound]
        for value in bound:
            name = str(value.name)
            value.const_value = ir.tensor(self._captured[name], name=name)
            graph.register_initializer(value)
        return ir.passes.PassResult(model, bool(bound))

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        left = [value.name for value in model.graph.inputs if value.name in self._captured]
        ensure(not left, f"the captured tensors {left} are inputs")
