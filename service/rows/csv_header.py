"""Detects the header of a CSV file and matches its columns with the inputs.

If it is not certain whether the first line is a header, the error asks for `--header` or
`--no-header`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from service.errors import shortened
from service.manifest import InputSpec
from service.rows.columns import INDEX, by_name, in_order, names_inputs, require_width, row_shape
from service.rows.csv_cells import CellReader
from service.rows.csv_text import CsvText
from service.rows.given import Further


@dataclass(frozen=True)
class Layout:
    """The meaning of a file's columns.

    Attributes:
        width: number of columns.
        names: of the columns; None: there is no header.
        has_index: whether the first column is an index.
        places: name of an input or of a further column to the positions of its columns, in the
            order of its elements.
        shapes: the same names to the shape of a row.
        further: the further columns.
    """

    width: int
    names: Sequence[str] | None
    has_index: bool
    places: Mapping[str, Sequence[int]]
    shapes: Mapping[str, tuple[int, ...]]
    further: Sequence[InputSpec]

    def column(self, position: int) -> str:
        """A column, as errors name it."""
        name = self.names[position] if self.names else ""
        return f"column {position + 1}" + (f" ({name!r})" if name else "")


def read_layout(
    text: CsvText, specs: Sequence[InputSpec], header: bool | None, further: Further | None = None
) -> Layout:
    """Detect the meaning of a file's columns.

    Args:
        text: the file.
        specs: the model's inputs.
        header: whether its first line is a header; None: detect it.
        further: chooses columns by name to read beside the inputs; the file then has a header.

    Raises:
        InputError: it is ambiguous, or the columns do not match the inputs.
    """
    first = text.first
    refuse = partial(text.refusal, first.line)
    names = [cell.strip() for cell in first.cells]
    has_index = header is not False and len(names) > 1 and names[0] in INDEX
    _require_header(text, specs, header, further)
    others = [] if further is None else list(further(names))
    apart = {spec.name for spec in others}
    own = {
        place: name
        for place, name in enumerate(names)
        if (place or not has_index) and name not in apart
    }
    is_named = header is not False and names_inputs(own, specs)
    if not is_named:
        beside = " beside the index column" if has_index else ""
        require_width(len(own), specs[0], refuse, beside, targets=further is not None)
    if header is None:
        header = bool(others) or is_named or _is_header(text, [*own.values()], has_index, specs[0])
    if not header:
        places: dict[str, Sequence[int]] = {specs[0].name: list(own)}
    else:
        _require_distinct(text, names)
        places = {**(by_name(own, specs, refuse) if is_named else {specs[0].name: in_order(own)})}
    shapes = {spec.name: row_shape(spec, len(places[spec.name])) for spec in specs}
    places |= {spec.name: [names.index(spec.name)] for spec in others}
    shapes |= {spec.name: () for spec in others}
    return Layout(len(names), names if header else None, has_index, places, shapes, others)


def _require_header(
    text: CsvText, specs: Sequence[InputSpec], header: bool | None, further: Further | None
) -> None:
    """Check what does not depend on the columns' names."""
    line = text.first.line
    if text.rivals and any(spec.dtype == "string" for spec in specs):
        raise text.refusal(
            line,
            f" may be delimited by any of {[text.delimiter, *text.rivals]}. Put quotation marks "
            "around the texts.",
        )
    if header is False and further is not None:
        raise text.refusal(line, " must name the columns: that of the targets is chosen by name.")
    if header is False and len(specs) > 1:
        inputs = [spec.name for spec in specs]
        raise text.refusal(line, f" must name the columns: the model has inputs {inputs}.")


def _is_header(text: CsvText, cells: Sequence[str], has_index: bool, spec: InputSpec) -> bool:
    """Whether the first line is a header, given that it names no input."""
    names = [spec.dtype != "string" and CellReader(spec).is_name(cell) for cell in cells]
    if all(names):
        return True
    if spec.dtype != "string" and not any(names):
        may_be_names = _may_be_names(cells)
        if not has_index and not may_be_names:
            return False
        # It cannot be a row, which has one cell less.
        if has_index and may_be_names and None not in spec.shape[1:]:
            return True
    line = shortened(text.delimiter.join(text.first.cells))
    raise text.refusal(
        text.first.line,
        f", {line!r}, may be a header or a row. Say which with --header or --no-header.",
    )


def _may_be_names(cells: Sequence[str]) -> bool:
    """Whether numbers may be the names of columns, as those of a table without names are.

    They may if all are distinct non-negative integers (a single one only if it is 0), or if
    they are three or more increasing numbers.
    """
    if len(cells) == 1:
        return cells[0] == "0"
    if all(cell.isdecimal() for cell in cells):
        return len(set(cells)) == len(cells)
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return False
    return len(cells) > 2 and all(before < after for before, after in pairwise(numbers))


def _require_distinct(text: CsvText, names: Sequence[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        places = [position + 1 for position, name in enumerate(names) if name == twice]
        raise text.refusal(
            text.first.line,
            f" names columns {' and '.join(map(str, places))} {twice!r}. Give each its own name.",
        )
