"""Turn every site into an input, so that the graph is a pure function.

Precondition: every site is a Dropout, RandomUniformLike or RandomNormalLike node.
Postcondition: the graph draws nothing. For each site there is an input
`draw_input(site)` of shape (P, 1 or B, …site). Rows are ordered pass by pass: row
b of pass p is at p·B + b of every tensor whose axis 0 is the batch. In detail:
1. a dropout on the batch multiplies x of (P·B, …) by its mask, by way of
   (P, B, …): a broadcast, so a pass has its mask once, however many rows;
2. any other site, noise or a dropout shared by the rows of a call, becomes its
   draw, repeated over the rows of its pass;
3. `training` stays an input only where more than the dropouts depended on it.
"""

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from service.graph.artifact import find_sites
from service.manifest import TRAINING_INPUT, Manifest, SiteSpec, is_dropout


def draw_input(site: SiteSpec) -> str:
    """Name of the graph input that carries a site's draws."""
    return f"draw:{site.name}"


def draws_as_inputs(model: ir.Model, manifest: Manifest) -> ir.Model:
    """The model with its sites' draws as inputs."""
    plan = model.clone()
    for site, node in find_sites(plan, manifest, "the plan").items():
        if is_dropout(site) and site.shape[0] != 1:
            _multiply_by_mask(plan.graph, site, node)
        else:
            _repeat_over_rows(plan.graph, site, node)
    RemoveUnusedNodesPass()(plan)
    plan.graph.inputs[:] = [
        value for value in plan.graph.inputs if value.name != TRAINING_INPUT or value.uses()
    ]
    plan.metadata_props.clear()
    return plan


def _multiply_by_mask(graph: ir.Graph, site: SiteSpec, node: ir.Node) -> None:
    """Rule 1; neither Reshape copies."""
    x, mask = node.inputs[0], _add_input(graph, site)
    new = _Nodes(site)
    any_rows = _constant(graph, f"{site.name}/rows", [-1])
    passes = new.add("Shape", [mask], start=0, end=1)
    row_shape = new.add("Shape", [x], start=1)
    grouped = new.add("Reshape", [x, new.add("Concat", [passes, any_rows, row_shape], axis=0)])
    masked = new.add("Mul", [grouped, mask])
    new.add("Reshape", [masked, new.add("Concat", [any_rows, row_shape], axis=0)])
    new.replace(graph, node)


def _repeat_over_rows(graph: ir.Graph, site: SiteSpec, node: ir.Node) -> None:
    """Rule 2."""
    draws = _add_input(graph, site)
    new = _Nodes(site)
    passes = new.add("Shape", [draws], start=0, end=1)
    tiled_rows = new.add("Shape", [graph.inputs[0]], start=0, end=1)
    rows = new.add("Div", [tiled_rows, passes])
    row_shape = new.add("Shape", [draws], start=2)
    grouped = new.add("Expand", [draws, new.add("Concat", [passes, rows, row_shape], axis=0)])
    new.add("Reshape", [grouped, new.add("Concat", [tiled_rows, row_shape], axis=0)])
    new.replace(graph, node)


class _Nodes:
    """The nodes that take a site's place, in order, named after it."""

    def __init__(self, site: SiteSpec) -> None:
        self._site = site
        self._nodes: list[ir.Node] = []

    def add(self, op: str, inputs: list[ir.Value | None], **attributes: int) -> ir.Value:
        node = ir.node(op, inputs, attributes)
        node.name = node.outputs[0].name = f"{self._site.name}/{op}:{len(self._nodes)}"
        self._nodes.append(node)
        return node.outputs[0]

    def replace(self, graph: ir.Graph, old: ir.Node) -> None:
        """Put the nodes where `old` was; the last one's output takes the place of its first."""
        before, after = old.outputs[0], self._nodes[-1].outputs[0]
        self._nodes[-1].name = self._site.name
        after.shape, after.type = before.shape, before.type
        ir.convenience.replace_nodes_and_values(
            old.graph or graph, old, [old], self._nodes, [before], [after]
        )


def _add_input(graph: ir.Graph, site: SiteSpec) -> ir.Value:
    value = ir.Value(
        name=draw_input(site),
        shape=ir.Shape(["passes", "draw_rows", *site.shape[1:]]),
        type=ir.TensorType(ir.DataType.from_numpy(np.dtype(site.dtype))),
    )
    graph.inputs.append(value)
    return value


def _constant(graph: ir.Graph, name: str, values: list[int]) -> ir.Value:
    value = ir.Value(name=name, const_value=ir.tensor(np.array(values, np.int64), name=name))
    graph.register_initializer(value)
    return value
