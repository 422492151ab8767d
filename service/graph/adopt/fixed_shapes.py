"""Converts draws with a fixed shape to draws in the shape of a constant."""

import numpy as np
import onnx_ir as ir

from service.nodes.builder import NodeBuilder
from service.nodes.conditions import ensure, require
from service.nodes.free_names import free_names

_LIKE = {"RandomUniform": "RandomUniformLike", "RandomNormal": "RandomNormalLike"}


class FixedShapesPass(ir.passes.InPlacePass):
    """Let each RandomUniform and RandomNormal draw in the shape of zeros.

    Precondition: they have a shape, as ONNX demands.
    Postcondition: none is left. Each is a RandomUniformLike or RandomNormalLike of its name,
    which draws the same.
    """

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        shapeless = [n.name for n in _of_fixed_shape(model.graph) if "shape" not in n.attributes]
        require(not shapeless, f"{shapeless} have no shape")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        names, nodes = free_names(model.graph), _of_fixed_shape(model.graph)
        for node in nodes:
            new = NodeBuilder(model.graph, str(node.name), names)
            sizes = node.attributes["shape"].as_ints()
            of = ir.DataType(node.attributes.get_int("dtype", int(ir.DataType.FLOAT)))
            zero = ir.tensor(np.zeros(1, of.numpy()))
            zeros = new.add("ConstantOfShape", new.ints(*sizes), value=zero)
            zeros.shape, zeros.type = ir.Shape(sizes), ir.TensorType(of)
            others = {key: item.value for key, item in node.attributes.items() if key != "shape"}
            drawn = new.add(_LIKE[node.op_type], zeros, name=node.name, **others)
            new.replace(node, drawn)
        return ir.passes.PassResult(model, bool(nodes))

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        left = [node.name for node in _of_fixed_shape(model.graph)]
        ensure(not left, f"{left} still draw in a shape of their own")


def _of_fixed_shape(graph: ir.Graph) -> list[ir.Node]:
    return [node for node in graph.all_nodes() if node.op_type in _LIKE and not node.domain]
