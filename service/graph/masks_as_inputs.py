"""Turn every dropout into a multiplication by a mask that comes in as an input.

Precondition: every site is a Dropout node whose input has the batch on axis 0.
Postcondition: the graph draws nothing and has no `training` input. For each site
there is an input `mask_input(site)` of shape (P, 1 or B, …site), and the site
computes x·mask on x of shape (P·B, …site), whose rows are ordered pass by pass:
row b of pass p is at p·B + b. So a pass needs its mask once, however many rows.
"""

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from service.graph.artifact import find_sites
from service.manifest import TRAINING_INPUT, Manifest, SiteSpec


def mask_input(site: SiteSpec) -> str:
    """Name of the graph input that carries a site's masks."""
    return f"mask:{site.name}"


def masks_as_inputs(model: ir.Model, manifest: Manifest) -> ir.Model:
    """The model with its sites' masks as inputs."""
    plan = model.clone()
    for site, node in find_sites(plan, manifest, "the plan").items():
        _replace_dropout(plan.graph, site, node)
    RemoveUnusedNodesPass()(plan)
    plan.graph.inputs[:] = [v for v in plan.graph.inputs if v.name != TRAINING_INPUT]
    plan.metadata_props.clear()
    return plan


def _replace_dropout(graph: ir.Graph, site: SiteSpec, dropout: ir.Node) -> None:
    """x·mask by way of (P, B, …): ONNX broadcasts the mask over rows, and no copy is made."""
    x, y = dropout.inputs[0], dropout.outputs[0]
    dtype = ir.DataType.from_numpy(np.dtype(site.dtype))
    mask = ir.Value(
        name=mask_input(site),
        shape=ir.Shape(["passes", "mask_rows", *site.shape[1:]]),
        type=ir.TensorType(dtype),
    )
    graph.inputs.append(mask)

    passes = ir.node("Shape", [mask], {"start": 0, "end": 1})
    rows = _constant(graph, f"{site.name}/rows", [-1])
    row_shape = ir.node("Shape", [x], {"start": 1})
    grouped_shape = ir.node("Concat", [passes.outputs[0], rows, row_shape.outputs[0]], {"axis": 0})
    grouped = ir.node("Reshape", [x, grouped_shape.outputs[0]])
    masked = ir.node("Mul", [grouped.outputs[0], mask])
    flat_shape = ir.node("Concat", [rows, row_shape.outputs[0]], {"axis": 0})
    flat = ir.node("Reshape", [masked.outputs[0], flat_shape.outputs[0]], name=site.name)
    new = [passes, row_shape, grouped_shape, grouped, masked, flat_shape, flat]
    for node in new[:-1]:
        node.name = node.outputs[0].name = f"{site.name}/{node.op_type}:{new.index(node)}"

    result = flat.outputs[0]
    result.shape, result.type = y.shape, y.type
    home = dropout.graph or graph
    ir.convenience.replace_nodes_and_values(home, dropout, [dropout], new, [y], [result])


def _constant(graph: ir.Graph, name: str, values: list[int]) -> ir.Value:
    value = ir.Value(name=name, const_value=ir.tensor(np.array(values, np.int64), name=name))
    graph.register_initializer(value)
    return value
