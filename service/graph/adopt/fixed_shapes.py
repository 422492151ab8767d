"""Write numbers of a fixed shape as numbers of the shape of a constant.

Postcondition: no RandomUniform or RandomNormal is left. Each is a RandomUniformLike or
RandomNormalLike of zeros, which draws the same.
"""

import numpy as np
import onnx_ir as ir

from service.graph.adopt.free_names import free_names
from service.graph.adopt.replacement import Replacement

_LIKE = {"RandomUniform": "RandomUniformLike", "RandomNormal": "RandomNormalLike"}


def write_fixed_shapes(graph: ir.Graph) -> None:
    """Change `graph` so."""
    names = free_names(graph)
    for node in [*graph.all_nodes()]:
        if node.op_type not in _LIKE or node.domain:
            continue
        new = Replacement(graph, names, node)
        sizes = np.array(node.attributes["shape"].as_ints(), np.int64)
        shape = ir.Value(name=names(f"{node.name}/shape"), const_value=ir.tensor(sizes))
        graph.register_initializer(shape)
        of = ir.DataType(node.attributes.get_int("dtype", int(ir.DataType.FLOAT)))
        zeros = new.add("ConstantOfShape", [shape], {"value": ir.tensor(np.zeros(1, of.numpy()))})
        zeros.shape, zeros.type = ir.Shape(sizes.tolist()), ir.TensorType(of)
        others = {key: item.value for key, item in node.attributes.items() if key != "shape"}
        new.put(new.add(_LIKE[node.op_type], [zeros], others, node.name))
