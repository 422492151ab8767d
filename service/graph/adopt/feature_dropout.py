"""Recognizes a dropout made of other operators: uniform numbers below a constant, divided by it.

PyTorch exports nn.Dropout1d, 2d and 3d in this form, because ONNX has no operator for them:

    mask = Div(Cast(Less(RandomUniformLike(z), keep)), keep)

This equals a Dropout of rate 1 - keep applied to ones in the shape of z, which can be switched
off, unlike noise.
"""

from dataclasses import dataclass

import onnx_ir as ir

from service.graph.adopt.constants import constant_number
from service.graph.adopt.unique_names import require_unique_names
from service.nodes.builder import NodeBuilder
from service.nodes.conditions import ensure
from service.nodes.free_names import free_names


@dataclass(frozen=True)
class _Mask:
    """A match: its nodes but the last, whose shape it has, its type, the share it keeps."""

    made_by: tuple[ir.Node, ...]
    like: ir.Value
    of: ir.DataType
    keep: float


class FeatureDropoutPass(ir.passes.InPlacePass):
    """Replace each such mask by a Dropout that is always on.

    Its name is that of the node which divided.

    Precondition: every node has a name of its own.
    Postcondition: no such mask is left.
    """

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        require_unique_names(model.graph)

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        graph, names = model.graph, free_names(model.graph)
        masks = [(node, mask) for node in graph if (mask := _match(node)) is not None]
        for node, mask in masks:
            new = NodeBuilder(graph, str(node.name), names)
            ones = new.filled_like(mask.like, 1, mask.of)
            rate = new.scalar("ratio", 1 - mask.keep, ir.DataType.FLOAT)
            on = new.scalar("on", 1, ir.DataType.BOOL)
            new.replace(node, new.add("Dropout", ones, rate, on, name=node.name))
            graph.remove(mask.made_by, safe=True)
        return ir.passes.PassResult(model, bool(masks))

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        left = [node.name for node in model.graph if _match(node) is not None]
        ensure(not left, f"{left} are still written out")


def _match(div: ir.Node) -> _Mask | None:
    cast = _only_maker(div, "Div", "Cast")
    less = _only_maker(cast, "Cast", "Less")
    uniform = _only_maker(less, "Less", "RandomUniformLike")
    if cast is None or less is None or uniform is None:
        return None
    low, high = (uniform.attributes.get_float(*end) for end in (("low", 0.0), ("high", 1.0)))
    keep, divisor = _number(less, 1), _number(div, 1)
    like = uniform.inputs[0]
    if like is None or keep is None or keep != divisor or not 0 < keep < 1:
        return None
    if (low, high) != (0, 1):
        return None
    return _Mask((cast, less, uniform), like, ir.DataType(cast.attributes.get_int("to", 1)), keep)


def _number(node: ir.Node, index: int) -> float | None:
    value = node.inputs[index]
    return None if value is None else constant_number(value)


def _only_maker(node: ir.Node | None, op: str, maker: str) -> ir.Node | None:
    """The `maker` of the first input of an `op`, if nothing else reads what it makes."""
    if node is None or node.domain or node.op_type != op or node.inputs[0] is None:
        return None
    value = node.inputs[0]
    made = value.producer()
    if made is None or made.op_type != maker or made.domain or len(value.uses()) != 1:
        return None
    return None if value.is_graph_output() else made
