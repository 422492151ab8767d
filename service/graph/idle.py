"""Computes the values of a site's draws before they meet data, to see whether they end there.

A dropout on the zero initial state of a recurrent layer multiplies zeros, so its draws never
change an output, whatever the rows.

Precondition: a tail (see `tail`), whose draws are inputs.
Postcondition: the outputs are the values where the site's draws first meet data, which are
rows or draws of other sites. They depend only on the site and on sizes, so if they do not
change with its draws, no output of the model does.
"""

import onnx
import onnx_ir as ir

from service.graph.place import ROWS_INPUT, draw_input, scale_input
from service.graph.prune import PrunePass
from service.graph.trunk import is_shape_input
from service.manifest import TRAINING_INPUT, SiteSpec
from service.nodes.bodies import reads
from service.nodes.builder import NodeBuilder
from service.nodes.free_names import free_names
from service.nodes.reach import reach
from service.nodes.training import is_flag


def where_draws_meet_data(tail: bytes, site: SiteSpec) -> bytes:
    """A serialized model of those outputs, with the inputs of the tail that they need."""
    model = ir.from_proto(onnx.shape_inference.infer_shapes(onnx.load_model_from_string(tail)))
    graph = model.graph
    own = {value for value in graph.inputs if value.name in (draw_input(site), scale_input(site))}
    others = {value for value in graph.inputs if value not in own and not _is_size(value)}
    drawn, data = (reach(graph, inputs, _is_of_values) for inputs in (own, others))
    met = [node for node in graph if not data.keys().isdisjoint(node.outputs)]
    read = [value for node in met for value in reads(node)] + [*graph.outputs]
    ends = dict.fromkeys(value for value in read if value in drawn and value not in data)
    new = NodeBuilder(graph, "end", free_names(graph))
    graph.outputs[:] = [_output(new, value) for value in ends]
    new.append()
    PrunePass()(model)
    content: bytes = ir.to_proto(model).SerializeToString()
    return content


def _is_of_values(node: ir.Node) -> bool:
    """Whether the outputs of a node depend on the values it reads, not only on their sizes."""
    return node.op_type != "Shape"


def _is_size(value: ir.Value) -> bool:
    """Whether an input of a tail is a size or a switch."""
    name = str(value.name)
    return is_shape_input(name) or name in (ROWS_INPUT, TRAINING_INPUT) or is_flag(value)


def _output(new: NodeBuilder, value: ir.Value) -> ir.Value:
    output = new.add("Identity", value)
    output.type = value.type
    return output
