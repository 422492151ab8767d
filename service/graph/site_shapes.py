"""A graph that tells the mask shape of every site for a given input.

Precondition: every site is a Dropout node.
Postcondition: same inputs; the outputs are `mask_input(site)`, each the int64
shape of what that site's Dropout gets. Nothing behind the last site is left.
"""

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from service.graph.artifact import find_sites
from service.graph.masks_as_inputs import mask_input
from service.manifest import Manifest


def site_shapes(model: ir.Model, manifest: Manifest) -> ir.Model:
    """The model with the sites' shapes as its outputs."""
    probe = model.clone()
    shapes = []
    for site, dropout in find_sites(probe, manifest, "the plan").items():
        shape = ir.node("Shape", [dropout.inputs[0]], name=mask_input(site))
        value = shape.outputs[0]
        value.name, value.type = mask_input(site), ir.TensorType(ir.DataType.INT64)
        value.shape = ir.Shape([len(site.shape)])
        probe.graph.insert_before(dropout, shape)
        shapes.append(value)
    probe.graph.outputs[:] = shapes
    RemoveUnusedNodesPass()(probe)
    probe.metadata_props.clear()
    return probe
