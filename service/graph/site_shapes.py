"""A graph that computes the shape of every site's tensor for a given input.

Precondition: every site is a node with one data input.
Postcondition: the outputs are `draw_input(site)`, each the int64 shape of the site's data; the
inputs are those that they need. Nodes after the last site are removed.
"""

import onnx_ir as ir

from service.graph.artifact import find_sites
from service.graph.place import draw_input
from service.graph.prune import PrunePass
from service.manifest import Manifest
from service.nodes.builder import NodeBuilder
from service.nodes.free_names import free_names


def site_shapes(model: ir.Model, manifest: Manifest) -> ir.Model:
    """The model with the sites' shapes as its outputs."""
    probe = model.clone()
    new = NodeBuilder(probe.graph, "shape", free_names(probe.graph))
    shapes = []
    for site, node in find_sites(probe, manifest, "the plan").items():
        shape = new.add("Shape", node.inputs[0])
        shape.name, shape.type = draw_input(site), ir.TensorType(ir.DataType.INT64)
        shape.shape = ir.Shape([None])
        shapes.append(shape)
    new.append()
    probe.graph.outputs[:] = shapes
    PrunePass()(probe)
    return probe
