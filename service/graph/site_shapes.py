"""A graph that tells the shape of every site's tensor for a given input.

Precondition: every site is a node with one data input.
Postcondition: same inputs; the outputs are `draw_input(site)`, each the int64
shape of what that site's node gets. Nothing behind the last site is left.
"""

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from service.graph.artifact import find_sites
from service.graph.sites_as_inputs import draw_input
from service.manifest import Manifest


def site_shapes(model: ir.Model, manifest: Manifest) -> ir.Model:
    """The model with the sites' shapes as its outputs."""
    probe = model.clone()
    shapes = []
    for site, node in find_sites(probe, manifest, "the plan").items():
        shape = ir.node("Shape", [node.inputs[0]], name=draw_input(site))
        value = shape.outputs[0]
        value.name, value.type = draw_input(site), ir.TensorType(ir.DataType.INT64)
        probe.graph.insert_before(node, shape)
        shapes.append(value)
    probe.graph.outputs[:] = shapes
    RemoveUnusedNodesPass()(probe)
    probe.metadata_props.clear()
    return probe
