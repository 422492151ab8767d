"""The part of the graph behind the sites, for all passes at once.

Postcondition: a pure function of
- the frontier, B rows of it, and the shapes of the trunk (see `cut`);
- one input of draws for each site (see `sites_as_inputs`);
and its outputs have P·B rows, row b of pass p at p·B + b: pass by pass. In detail:
1. a frontier tensor f of (B, …) is repeated to (P·B, …), but where it goes
   straight into a dropout: there a broadcast does it, without a copy;
2. a shape that the trunk computed gets P times as many rows.
"""

from collections.abc import Mapping

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from service.core.distributions import BY_KIND
from service.graph.cut import Cut
from service.graph.new_nodes import NewNodes, add_input
from service.graph.sites_as_inputs import Place, SiteInputs, draw_input
from service.graph.trunk import drop_unused_inputs, frontier_input, shape_input
from service.manifest import SiteSpec


def make_tail(
    model: ir.Model, cut: Cut, places: Mapping[SiteSpec, Place], one_pass: bool
) -> ir.Model:
    """The tail of `model` at `cut`, its sites being in `places`; with `one_pass`, P is 1."""
    tail = model.clone()
    graph = tail.graph
    graph.outputs[:] = [value for value in graph.outputs if value.name in cut.stochastic]
    head = NewNodes(graph, "plan")
    draws = {site: _draws(graph, site, place) for site, place in places.items()}
    sites = SiteInputs(graph, draws, head.dims(next(iter(draws.values())), 0, 1), one_pass)
    values = {str(v.name): v for v in graph.inputs}
    values |= {str(v.name): v for node in graph for v in node.outputs}
    frontier = {name: _frontier_value(graph, values[name]) for name in cut.frontier}
    nodes = {str(node.name): node for node in graph.all_nodes()}
    for site, place in places.items():
        node = nodes[site.name]
        name = str(node.inputs[0].name) if node.inputs[0] is not None else ""
        sites.replace(site, place, node, frontier.get(name))
    for name, value in frontier.items():
        _repeat(head, values[name], value, sites.passes)
    for name in cut.shapes:
        _more_rows(graph, head, values[name], sites.passes)
    head.insert_before(graph[0])
    RemoveUnusedNodesPass()(tail)
    drop_unused_inputs(graph)
    tail.metadata_props.clear()
    return tail


def _draws(graph: ir.Graph, site: SiteSpec, place: Place) -> ir.Value:
    """The input of a site's draws, (P, R, …)."""
    dtype = BY_KIND[site.kind].number_type(site.dtype).name
    return add_input(graph, draw_input(site), dtype, ["passes", "draw_rows", *place.row])


def _frontier_value(graph: ir.Graph, value: ir.Value) -> ir.Value:
    """The tail's input in the place of `value`, of B rows; a new value, whose uses are to come."""
    rest = [None] if value.shape is None else list(value.shape[1:])
    new = ir.Value(
        name=frontier_input(str(value.name)),
        shape=None if value.shape is None else ir.Shape(["rows", *rest]),
        type=value.type,
    )
    if value.is_graph_input():
        new.name, value.name = value.name, f"{value.name}/rows"
        graph.inputs.remove(value)
    graph.inputs.append(new)
    return new


def _repeat(head: NewNodes, value: ir.Value, f: ir.Value, passes: ir.Value) -> None:
    """Rule 1: whatever reads `value` reads `f` repeated."""
    if not value.uses():
        return
    copies = head.add("Expand", head.add("Unsqueeze", f, head.ints(0)), _copies(head, f, passes))
    rows = head.add("Reshape", copies, head.join(head.ints(-1), head.dims(f, 1)))
    rows.shape, rows.type = value.shape, value.type
    value.replace_all_uses_with(rows)


def _copies(head: NewNodes, f: ir.Value, passes: ir.Value) -> ir.Value:
    """The shape (P, 1, …) that Expand broadcasts (1, B, …) with."""
    if f.shape is not None:
        return head.join(passes, head.ints(*[1] * len(f.shape)))
    return head.join(passes, head.add("Shape", f))


def _more_rows(graph: ir.Graph, head: NewNodes, value: ir.Value, passes: ir.Value) -> None:
    """Rule 2."""
    shape = add_input(graph, shape_input(str(value.name)), "int64", [None])
    zero, one, end = head.ints(0), head.ints(1), head.ints(1 << 62)
    rows = head.add("Mul", head.add("Slice", shape, zero, one, zero), passes)
    whole = head.join(rows, head.add("Slice", shape, one, end, zero))
    node = value.producer()
    attributes = {} if node is None else {k: a.as_int() for k, a in node.attributes.items()}
    if attributes:
        start, stop = attributes.get("start", 0), attributes.get("end", 1 << 62)
        whole = head.add("Slice", whole, head.ints(start), head.ints(stop), zero)
    whole.type = value.type
    value.replace_all_uses_with(whole)
