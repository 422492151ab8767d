"""Turn every site into an input, so that the graph is a pure function.

Precondition: every site is a Dropout, RandomUniformLike or RandomNormalLike node.
Postcondition: the graph draws nothing. A site has an input `draw_input(site)` of
shape (P, R, …), with R = 1 where the rows of a pass share the draw and R = B where
they do not. In detail:
1. a dropout multiplies x by its mask, 0 or 1 as uint8, and by the scalar input
   `scale_input(site)`. For that x of (P·B, …) becomes (P, B, …), and the mask
   broadcasts: a pass has its mask once, however many rows;
2. noise becomes its draws, repeated over the rows of its pass;
3. a draw for a whole pass is not repeated where the graph runs one pass at a time:
   there it has the shape that the graph gives it. Where passes run together it is
   repeated like a row's, which suits where it is joined with rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from service.graph.new_nodes import NewNodes, add_input
from service.manifest import SiteSpec, is_dropout, rows_in

#: The scalar tail input that tells the number of rows, where a site needs it.
ROWS_INPUT = "rows"
#: What the names of the inputs with draws begin with.
DRAW = "draw:"


@dataclass(frozen=True)
class Place:
    """How a site lies to the batch.

    Attributes:
        row: shape of one row's draw, or of the whole pass's; None marks a dynamic axis.
        axis: of the site's tensor that is the batch; None: one draw is for all rows of a
            pass, and `row` is the tensor's own shape.
        merged: axis 0 holds several elements for each row, one after the other, as
            (batch × time) does; `row` begins with their number.
    """

    row: tuple[int | None, ...]
    axis: int | None = 0
    merged: bool = False

    def of_one_row(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Shape of the draw, that of the site's tensor for one row being `shape`."""
        if self.merged or self.axis is None:
            return tuple(shape)
        return (*shape[: self.axis], *shape[self.axis + 1 :])

    @property
    def fits_rows(self) -> bool:
        """Whether the draw can be repeated for rows: it has an axis for them."""
        return self.axis is not None or self.row[:1] == (1,)


def declared_place(site: SiteSpec) -> Place:
    """Where the manifest says that a site lies."""
    return _place(site.shape, site.batch_axis, site.row_elements)


def observed_place(two: Sequence[int], three: Sequence[int]) -> Place | None:
    """Where a site lies whose tensor has these shapes for two and for three rows.

    None where no single axis grows with the rows.
    """
    found = rows_in(two, three)
    return None if found is None else _place(two, *found)


def _place(shape: Sequence[int | None], axis: int | None, each: int | None) -> Place:
    if axis is None:
        return Place(tuple(shape), axis=None)
    if each != 1:
        return Place((each, *shape[1:]), merged=True)
    return Place((*shape[:axis], *shape[axis + 1 :]), axis)


def draw_input(site: SiteSpec) -> str:
    """Name of the graph input that carries a site's draws."""
    return f"{DRAW}{site.name}"


def scale_input(site: SiteSpec) -> str:
    """Name of the scalar input that a dropout's kept elements are multiplied by."""
    return f"scale:{site.name}"


class SiteInputs:
    """Puts inputs into the place of sites, in one graph."""

    def __init__(
        self,
        graph: ir.Graph,
        draws: Mapping[SiteSpec, ir.Value],
        passes: ir.Value,
        one_pass: bool = False,
    ) -> None:
        """`draws` are the inputs of each site; `passes` is P, as a vector of one.

        With `one_pass`, P is 1 in every run.
        """
        self._graph = graph
        self._draws = draws
        self._rows: ir.Value | None = None
        self._one_pass = one_pass
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
        if place.axis is None:
            result = self._for_all_rows(new, site, x)
        elif not is_dropout(site):
            result = self._noise(new, site, place, x)
        elif frontier is not None:
            result = self._mask_frontier(new, site, frontier)
        else:
            result = self._mask(new, site, place, x)
        new.replace(node, result)

    def _for_all_rows(self, new: NewNodes, site: SiteSpec, x: ir.Value) -> ir.Value:
        """Rule 3, for draws of (P, R, *the shape of x)."""
        draws = self._scaled_mask(new, site) if is_dropout(site) else self._draws[site]
        if self._one_pass:
            own = new.add("Reshape", draws, new.dims(x))
        else:
            row = new.dims(self._draws[site], 3)
            of_rows = new.add("Reshape", draws, new.join(self.passes, new.ints(-1), row))
            repeated = self._repeat(new, of_rows, row)
            own = new.add("Reshape", repeated, new.join(new.ints(-1), row))
        return new.add("Mul", x, own) if is_dropout(site) else own

    def _noise(self, new: NewNodes, site: SiteSpec, place: Place, x: ir.Value) -> ir.Value:
        """Rule 2."""
        axis, row = place.axis or 0, new.dims(self._draws[site], 2)
        noise = self._repeat(new, self._draws[site], row)
        if axis:
            noise = new.add("Transpose", noise, perm=_axes_in_front(axis, len(place.row) - axis))
        if axis or place.merged:
            return new.add("Reshape", noise, new.add("Shape", x))
        return new.add("Reshape", noise, new.join(new.ints(-1), row))

    def _repeat(self, new: NewNodes, draws: ir.Value, row: ir.Value) -> ir.Value:
        """(P, B, …) of (P, R, …), `row` being the shape from there on."""
        if self._rows is None:
            self._rows = add_input(self._graph, ROWS_INPUT, "int64", [1])
        return new.add("Expand", draws, new.join(self.passes, self._rows, row))

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
