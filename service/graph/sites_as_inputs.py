"""Turn every site into an input, so that the graph is a pure function.

Precondition: every site is a Dropout, RandomUniformLike or RandomNormalLike node.
Postcondition: the graph draws nothing. A site has an input `draw_input(site)` of
shape (P, R, …), with R = 1 where the rows of a pass share the draw and R = B where
they do not. In detail:
1. a dropout multiplies x by its mask, 0 or 1 as uint8, and by the scalar input
   `scale_input(site)`. For that x of (P·B, …) becomes (P, B, …), and the mask
   broadcasts: a pass has its mask once, however many rows;
2. any other site, noise or a dropout that is made for a whole call, becomes its
   draws, repeated over the rows of its pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from service.graph.new_nodes import NewNodes, add_input
from service.manifest import SiteSpec, is_dropout

#: The scalar tail input that tells the number of rows, where a site needs it.
ROWS_INPUT = "rows"
#: What the names of the inputs with draws begin with.
DRAW = "draw:"


@dataclass(frozen=True)
class Place:
    """How a site lies to the batch.

    Attributes:
        row: shape of one row's draw; None marks a dynamic axis.
        axis: of the site's tensor that is the batch; None: the draw is for the whole call.
        merged: axis 0 holds several elements for each row, one after the other, as
            (batch × time) does; `row` begins with their number.
    """

    row: tuple[int | None, ...]
    axis: int | None = 0
    merged: bool = False

    def of_one_row(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Shape of the draw, that of the site's tensor for one row being `shape`."""
        if self.merged:
            return tuple(shape)
        axis = self.axis or 0
        return (*shape[:axis], *shape[axis + 1 :])


def declared_place(site: SiteSpec) -> Place:
    """Where the manifest says that a site lies."""
    return Place(site.shape[1:], axis=0 if site.shape[0] is None else None)


def observed_place(two: Sequence[int], three: Sequence[int]) -> Place | None:
    """Where a site lies whose tensor has these shapes for two and for three rows.

    None where no axis, or more than one, grows with the rows.
    """
    if len(two) != len(three):
        return None
    grows = [axis for axis, (a, b) in enumerate(zip(two, three, strict=True)) if a != b]
    if len(grows) != 1 or 3 * two[grows[0]] != 2 * three[grows[0]]:
        return None
    (axis,) = grows
    each = two[axis] // 2
    if each > 1:
        return Place((each, *two[1:]), axis=0, merged=True) if axis == 0 else None
    return Place((*two[:axis], *two[axis + 1 :]), axis=axis)


def draw_input(site: SiteSpec) -> str:
    """Name of the graph input that carries a site's draws."""
    return f"{DRAW}{site.name}"


def scale_input(site: SiteSpec) -> str:
    """Name of the scalar input that a dropout's kept elements are multiplied by."""
    return f"scale:{site.name}"


class SiteInputs:
    """Puts inputs into the place of sites, in one graph."""

    def __init__(
        self, graph: ir.Graph, draws: Mapping[SiteSpec, ir.Value], passes: ir.Value
    ) -> None:
        """`draws` are the inputs of each site; `passes` is P, as a vector of one."""
        self._graph = graph
        self._draws = draws
        self._rows: ir.Value | None = None
        self.passes = passes

    def replace(
        self, site: SiteSpec, place: Place, node: ir.Node, frontier: ir.Value | None
    ) -> None:
        """Replace a site's node.

        Args:
            site, place: see `Place`.
            node: that draws.
            frontier: the B rows that `node` reads, if it reads from the frontier.
        """
        new = NewNodes(self._graph, site.name)
        x = node.inputs[0]
        if x is None:
            return
        if not is_dropout(site):
            result = self._repeat(new, site, place, self._draws[site], x)
        elif place.axis is None:
            result = self._repeat(new, site, place, self._scaled_mask(new, site), x)
        elif frontier is not None:
            result = self._mask_frontier(new, site, frontier)
        else:
            result = self._mask(new, site, place, x)
        new.replace(node, result)

    def _mask_frontier(self, new: NewNodes, site: SiteSpec, f: ir.Value) -> ir.Value:
        """Rule 1 for f of B rows: (1, B, …) times (P, R, …)."""
        row = new.dims(self._draws[site], 2)
        grouped = new.add("Reshape", f, new.join(new.ints(1, -1), row))
        masked = new.add("Mul", grouped, self._scaled_mask(new, site))
        return new.add("Reshape", masked, new.join(new.ints(-1), new.dims(f, 1)))

    def _mask(self, new: NewNodes, site: SiteSpec, place: Place, x: ir.Value) -> ir.Value:
        """Rule 1 for x of P·B rows on axis `place.axis`; neither Reshape copies."""
        axis = place.axis or 0
        mask = self._scaled_mask(new, site)
        if axis:
            mask = new.add("Transpose", mask, perm=_axes_in_front(axis, len(place.row) - axis))
            parts = [new.dims(x, 0, axis), self.passes, new.ints(-1), new.dims(x, axis + 1)]
            grouped = new.add("Reshape", x, new.join(*parts))
            return new.add("Reshape", new.add("Mul", grouped, mask), new.add("Shape", x))
        row = new.dims(self._draws[site], 2)
        grouped = new.add("Reshape", x, new.join(self.passes, new.ints(-1), row))
        masked = new.add("Mul", grouped, mask)
        whole = new.add("Shape", x) if place.merged else new.join(new.ints(-1), row)
        return new.add("Reshape", masked, whole)

    def _repeat(
        self, new: NewNodes, site: SiteSpec, place: Place, draws: ir.Value, x: ir.Value
    ) -> ir.Value:
        """Rule 2."""
        if self._rows is None:
            self._rows = add_input(self._graph, ROWS_INPUT, "int64", [1])
        row = new.dims(self._draws[site], 2)
        grouped = new.add("Expand", draws, new.join(self.passes, self._rows, row))
        whole = new.add("Shape", x) if place.merged or place.axis else new.join(new.ints(-1), row)
        return new.add("Reshape", grouped, whole)

    def _scaled_mask(self, new: NewNodes, site: SiteSpec) -> ir.Value:
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
