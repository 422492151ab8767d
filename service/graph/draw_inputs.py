"""Adds the inputs for the draws of sites.

This is the first pass for a tail: the number of passes is derived from these inputs.
"""

from collections.abc import Mapping

import onnx_ir as ir

from service.core.distributions import BY_KIND
from service.graph.place import DRAW, Place, draw_input
from service.manifest import SiteSpec
from service.nodes.builder import NodeBuilder, add_input
from service.nodes.conditions import ensure, require
from service.nodes.free_names import FreeNames
from service.nodes.reach import named

#: The node that makes P, a vector of one number, of the draws of the first site.
_PASSES = "plan/passes"


class DrawInputsPass(ir.passes.InPlacePass):
    """Add an input of draws for each site.

    Precondition: the sites are nodes of the outermost graph, and no draws are inputs yet.
    Postcondition: a site has an input `draw_input(site)` of shape (P, R, …), with R = 1 where
    the rows of a pass share the draw and R = B where they do not; masks are uint8. The first
    node makes P of it, see `passes_of`.
    """

    def __init__(self, places: Mapping[SiteSpec, Place]) -> None:
        """For sites in these places."""
        super().__init__()
        self._places = places

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        names = [site.name for site in self._places]
        there = [node.name for node in named(model.graph, names) if node.graph is model.graph]
        require(sorted(names) == sorted(map(str, there)), f"of the sites {names} there are {there}")
        taken = [value.name for value in model.graph.inputs if str(value.name).startswith(DRAW)]
        require(not taken, f"the inputs {taken} are there already")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        graph = model.graph
        draws = [_input(graph, site, place) for site, place in self._places.items()]
        new = NodeBuilder(graph, "plan", FreeNames())
        new.add("Shape", draws[0], name=_PASSES, start=0, end=1)
        new.insert_before(graph[0])
        return ir.passes.PassResult(model, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        inputs = {value.name: value for value in model.graph.inputs}
        for site, place in self._places.items():
            value = inputs.get(draw_input(site))
            rank = None if value is None or value.shape is None else len(value.shape)
            ensure(rank == 2 + len(place.row), f"the draws of {site.name!r} are of rank {rank}")
        ensure(model.graph[0].name == _PASSES, "nothing tells the number of passes")


def passes_of(graph: ir.Graph) -> ir.Value:
    """P, a vector of one number, in a graph that has inputs of draws.

    Raises:
        onnx_ir.passes.PreconditionError: it has none.
    """
    first = graph[0]
    require(first.name == _PASSES, "the graph has no inputs of draws, which tell the passes")
    return first.outputs[0]


def _input(graph: ir.Graph, site: SiteSpec, place: Place) -> ir.Value:
    dtype = BY_KIND[site.kind].number_type(site.dtype).name
    return add_input(graph, draw_input(site), dtype, ["passes", "draw_rows", *place.row])
