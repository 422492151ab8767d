"""What a site's draws come to before they meet any data: to see whether they end there.

A dropout on the first state of a recurrent layer multiplies zeros. Whatever it draws,
and whatever rows come, nothing changes.

Precondition: a tail (see `tail`), whose draws are inputs.
Postcondition: the outputs are the values where the site's draws first meet data, which
is rows or what other sites draw. They depend on the site and on sizes alone, so if
they do not change with its draws, no output of the model ever does.
"""

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from service.graph.cut import reads
from service.graph.sites_as_inputs import ROWS_INPUT, draw_input, scale_input
from service.graph.trunk import drop_unused_inputs, is_shape_input
from service.manifest import TRAINING_INPUT, SiteSpec


def where_draws_meet_data(tail: bytes, site: SiteSpec) -> bytes:
    """A serialised model of those outputs, with the inputs of the tail that they need."""
    model = ir.from_proto(onnx.shape_inference.infer_shapes(onnx.load_model_from_string(tail)))
    graph = model.graph
    own = {value for value in graph.inputs if value.name in (draw_input(site), scale_input(site))}
    data = {value for value in graph.inputs if value not in own and not _is_size(value)}
    for node in graph:
        found = set(reads(node))
        if node.op_type == "Shape":
            continue
        if found & data:
            data.update(node.outputs)
        elif found & own:
            own.update(node.outputs)
    ends = [value for value in own if _is_read_by_data(value, data) or value in graph.outputs]
    graph.outputs[:] = [_output(graph, value, number) for number, value in enumerate(ends)]
    RemoveUnusedNodesPass()(model)
    drop_unused_inputs(graph)
    content: bytes = ir.to_proto(model).SerializeToString()
    return content


def _is_size(value: ir.Value) -> bool:
    """Whether an input of a tail tells sizes, or what is on."""
    name = str(value.name)
    scalar = value.shape is not None and len(value.shape) == 0
    flag = scalar and value.dtype == ir.DataType.BOOL
    return is_shape_input(name) or name in (ROWS_INPUT, TRAINING_INPUT) or flag


def _is_read_by_data(value: ir.Value, data: set[ir.Value]) -> bool:
    return any(not data.isdisjoint(node.outputs) for node, _ in value.uses())


def _output(graph: ir.Graph, value: ir.Value, number: int) -> ir.Value:
    node = ir.node("Identity", [value], name=f"end:{number}")
    node.outputs[0].name, node.outputs[0].type = node.name, value.type
    graph.append(node)
    return node.outputs[0]
