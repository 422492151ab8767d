"""The part of the graph before every site: the same in all passes, run once.

Postcondition: its inputs are those of the model's that it needs, with B rows; its
outputs are the frontier (but for graph inputs), the shapes of the cut, each whole
and as int64, and the model's outputs that no site reaches.
"""

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from service.graph.cut import Cut

_SHAPE = "shape:"


def make_trunk(model: ir.Model, cut: Cut) -> ir.Model | None:
    """The trunk, or None where there is nothing to compute before the sites."""
    trunk = model.clone()
    graph = trunk.graph
    values = {str(value.name): value for node in graph for value in node.outputs}
    outputs = [
        _output(graph, "Identity", values[name], frontier_input(name))
        for name in cut.frontier
        if name in values
    ]
    for name in cut.shapes:
        producer = values[name].producer()
        measured = producer.inputs[0] if producer else None
        outputs.append(_output(graph, "Shape", measured, shape_input(name)))
    outputs += [value for value in graph.outputs if value.name not in cut.stochastic]
    if not outputs:
        return None
    graph.outputs[:] = outputs
    RemoveUnusedNodesPass()(trunk)
    drop_unused_inputs(graph)
    return trunk


def frontier_input(name: str) -> str:
    """What the trunk's output and the tail's input are called that carry a frontier."""
    return f"frontier:{name}"


def shape_input(name: str) -> str:
    """The same, of a shape."""
    return f"{_SHAPE}{name}"


def is_shape_input(name: str) -> bool:
    """Whether a tail's input is such a shape."""
    return name.startswith(_SHAPE)


def _output(graph: ir.Graph, op: str, of: ir.Value | None, name: str) -> ir.Value:
    """A new last node that makes an output of `of`."""
    node = ir.node(op, [of], name=name)
    value = node.outputs[0]
    value.name = name
    if op == "Identity" and of is not None:
        value.shape, value.type = of.shape, of.type
    else:
        value.shape, value.type = ir.Shape([None]), ir.TensorType(ir.DataType.INT64)
    graph.append(node)
    return value


def drop_unused_inputs(graph: ir.Graph) -> None:
    """Keep the graph inputs that something reads."""
    graph.inputs[:] = [v for v in graph.inputs if v.uses() or v in graph.outputs]
