"""The place of a site relative to the batch, and the names of its inputs."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.manifest import SiteSpec, is_dropout, rows_in

#: The scalar tail input with the number of rows, if a site needs it.
ROWS_INPUT = "rows"
#: Prefix of the names of inputs with draws.
DRAW = "draw:"


@dataclass(frozen=True)
class Place:
    """The place of a site relative to the batch.

    Attributes:
        row: shape of the draw of one row, or of a whole pass; None marks a dynamic axis.
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
    """The place of a site according to the manifest."""
    return _place(site.shape, site.batch_axis, site.row_elements)


def observed_place(two: Sequence[int], three: Sequence[int]) -> Place | None:
    """The place of a site whose tensor has these shapes for two and for three rows.

    None if no single axis grows with the rows.
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


def reads_frontier(site: SiteSpec, place: Place) -> bool:
    """Whether a site takes a tensor of the frontier in its B rows, not repeated for passes.

    A dropout whose rows can be distinguished does: its mask has an axis for passes, and the
    product's broadcast repeats the tensor without a copy.
    """
    return is_dropout(site) and place.axis is not None
