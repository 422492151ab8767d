"""Converts every site to an input, so that the graph is a pure function.

In detail, for draws of shape (P, R, …):
1. a dropout multiplies x by its mask, 0 or 1 as uint8, and by the scalar input
   `scale_input(site)`. x of (P·B, …) is reshaped to (P, B, …), and the mask
   broadcasts: each pass has one mask, for any number of rows;
2. noise is replaced by its draws, repeated over the rows of its pass;
3. a draw for a whole pass is not repeated if the graph runs one pass at a time: it
   keeps its shape. If passes run together it is repeated like that of a row, which is
   correct if it is combined with rows;
4. the inner site may have J masks of each pass, of (P·J, R, …). x is reshaped to (P, 1, B, …)
   and they to (P, J, R, …), and the product has P·J·B rows.
"""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from service.graph.draw_inputs import passes_of
from service.graph.place import ROWS_INPUT, Place, draw_input, scale_input
from service.manifest import SiteSpec, is_dropout
from service.nodes.builder import NodeBuilder, add_input
from service.nodes.conditions import ensure, require
from service.nodes.draws import is_drawing
from service.nodes.free_names import free_names
from service.nodes.reach import named


class SitesAsInputsPass(ir.passes.InPlacePass):
    """Replace each site by the application of its draws to its data.

    Precondition: every site is a node that draws and has data, and its draws are an input.
    Postcondition: no site is left, and each input of draws is kept.
    """

    def __init__(
        self, places: Mapping[SiteSpec, Place], one_pass: bool, inner: SiteSpec | None = None
    ) -> None:
        """Of the sites in these places.

        With `one_pass`, P is 1 in every run; `inner` is as in `inner_site`.
        """
        super().__init__()
        self._places = places
        self._one_pass = one_pass
        self._inner = inner

    def requires(self, model: ir.Model) -> None:
        """Check the precondition."""
        passes_of(model.graph)
        nodes = {n.name: n for n in named(model.graph, [site.name for site in self._places])}
        inputs = {value.name for value in model.graph.inputs}
        for site in self._places:
            node = nodes.get(site.name)
            is_site = node is not None and is_drawing(node) and node.inputs[0] is not None
            require(is_site, f"{site.name!r} is no node that draws for its data")
            require(draw_input(site) in inputs, f"{draw_input(site)!r} is no input")

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Change the model."""
        nodes = {n.name: n for n in named(model.graph, [site.name for site in self._places])}
        sites = _Sites(model.graph, self._places, self._one_pass)
        for site, place in self._places.items():
            sites.replace(site, place, nodes[site.name], several=site == self._inner)
        return ir.passes.PassResult(model, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check the postcondition."""
        left = [n.name for n in named(model.graph, [s.name for s in self._places]) if is_drawing(n)]
        ensure(not left, f"the sites {left} still draw")
        lost = {*map(draw_input, self._places)} - {str(value.name) for value in model.graph.inputs}
        ensure(not lost, f"the inputs {sorted(lost)} are gone")


class _Sites:
    """Replaces the sites of one graph by inputs."""

    def __init__(self, graph: ir.Graph, places: Mapping[SiteSpec, Place], one_pass: bool) -> None:
        inputs = {value.name: value for value in graph.inputs}
        self._graph = graph
        self._draws = {site: inputs[draw_input(site)] for site in places}
        self._passes = passes_of(graph)
        self._names = free_names(graph)
        self._rows: ir.Value | None = None
        self._one_pass = one_pass

    def replace(self, site: SiteSpec, place: Place, node: ir.Node, several: bool) -> None:
        """Replace a site's node; `several`: a pass may have more than one of its masks."""
        new = NodeBuilder(self._graph, site.name, self._names)
        x = node.inputs[0]
        if x is None:
            return
        if place.axis is None:
            result = self._for_all_rows(new, site, x)
        elif several:
            result = self._masks(new, site, x)
        elif not is_dropout(site):
            result = self._noise(new, site, place, x)
        elif x.is_graph_input():  # of the frontier, see `reads_frontier`
            result = self._mask_frontier(new, site, x)
        else:
            result = self._mask(new, site, place, x)
        new.replace(node, result)

    def _for_all_rows(self, new: NodeBuilder, site: SiteSpec, x: ir.Value) -> ir.Value:
        """Rule 3, for draws of (P, R, *the shape of x)."""
        draws = self._scaled_mask(new, site) if is_dropout(site) else self._draws[site]
        if self._one_pass:
            own = new.add("Reshape", draws, new.dims(x))
        else:
            row = new.dims(self._draws[site], 3)
            of_rows = new.add("Reshape", draws, new.join(self._passes, new.ints(-1), row))
            repeated = self._repeat(new, of_rows, row)
            own = new.add("Reshape", repeated, new.join(new.ints(-1), row))
        return new.add("Mul", x, own) if is_dropout(site) else own

    def _noise(self, new: NodeBuilder, site: SiteSpec, place: Place, x: ir.Value) -> ir.Value:
        """Rule 2."""
        axis, row = place.axis or 0, new.dims(self._draws[site], 2)
        noise = self._repeat(new, self._draws[site], row)
        if axis:
            noise = new.add("Transpose", noise, perm=_axes_in_front(axis, len(place.row) - axis))
        if axis or place.merged:
            return new.add("Reshape", noise, new.add("Shape", x))
        return new.add("Reshape", noise, new.join(new.ints(-1), row))

    def _repeat(self, new: NodeBuilder, draws: ir.Value, row: ir.Value) -> ir.Value:
        """(P, B, …) of (P, R, …), `row` being the shape from there on."""
        if self._rows is None:
            self._rows = add_input(self._graph, ROWS_INPUT, "int64", [1])
        return new.add("Expand", draws, new.join(self._passes, self._rows, row))

    def _mask_frontier(self, new: NodeBuilder, site: SiteSpec, f: ir.Value) -> ir.Value:
        """Rule 1 for f of B rows: (1, B, …) times (P, R, …)."""
        row = new.dims(self._draws[site], 2)
        grouped = new.add("Reshape", f, new.join(new.ints(1, -1), row))
        masked = new.add("Mul", grouped, self._scaled_mask(new, site))
        return new.add("Reshape", masked, new.join(new.ints(-1), new.dims(f, 1)))

    def _mask(self, new: NodeBuilder, site: SiteSpec, place: Place, x: ir.Value) -> ir.Value:
        """Rule 1 for x of P·B rows on axis `place.axis`; neither Reshape copies."""
        axis = place.axis or 0
        mask = self._scaled_mask(new, site)
        if axis:
            mask = new.add("Transpose", mask, perm=_axes_in_front(axis, len(place.row) - axis))
            parts = [new.dims(x, 0, axis), self._passes, new.ints(-1), new.dims(x, axis + 1)]
            grouped = new.add("Reshape", x, new.join(*parts))
            return new.add("Reshape", new.add("Mul", grouped, mask), new.add("Shape", x))
        row = new.dims(self._draws[site], 2)
        grouped = new.add("Reshape", x, new.join(self._passes, new.ints(-1), row))
        masked = new.add("Mul", grouped, mask)
        whole = new.add("Shape", x) if place.merged else new.join(new.ints(-1), row)
        return new.add("Reshape", masked, whole)

    def _masks(self, new: NodeBuilder, site: SiteSpec, x: ir.Value) -> ir.Value:
        """Rule 4; no Reshape copies."""
        draws, row = self._draws[site], new.dims(self._draws[site], 2)
        grouped = new.add("Reshape", x, new.join(self._passes, new.ints(1, -1), row))
        by_pass = new.join(self._passes, new.ints(-1), new.dims(draws, 1))
        masks = new.add("Reshape", self._scaled_mask(new, site), by_pass)
        return new.add("Reshape", new.add("Mul", grouped, masks), new.join(new.ints(-1), row))

    def _scaled_mask(self, new: NodeBuilder, site: SiteSpec) -> ir.Value:
        """(P, R, …) of the site's dtype: 0 where it drops, the scale where it keeps."""
        scale = add_input(self._graph, scale_input(site), site.dtype, [])
        mask = self._draws[site]
        if site.dtype == "float32":
            # Cast and Mul in one kernel, and in parallel.
            return new.add("DequantizeLinear", mask, scale)
        kind = ir.DataType.from_numpy(np.dtype(site.dtype))
        return new.add("Mul", new.add("Cast", mask, to=int(kind)), scale)


def _axes_in_front(axis: int, behind: int) -> list[int]:
    """The permutation from (P, R, *before, *behind) to (*before, P, R, *behind)."""
    before = range(2, 2 + axis)
    return [*before, 0, 1, *range(2 + axis, 2 + axis + behind)]
