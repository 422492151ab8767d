"""Detects the header of a CSV file and matches its columns with the inputs.

If it is not certain whether the first line is a header, the error asks for `--header` or
`--no-header`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from service.cli.names import counted, element_names, numbered
from service.cli.rows.csv_cells import CellReader
from service.cli.rows.csv_text import CsvText
from service.errors import InputError, shortened
from service.manifest import InputSpec

#: Names of an index column as pandas writes it, first and after reading it again.
_INDEX = ("", "Unnamed: 0")


@dataclass(frozen=True)
class Layout:
    """The meaning of a file's columns.

    Attributes:
        width: number of columns.
        names: of the columns; None: there is no header.
        has_index: whether the first column is an index.
        places: input name to the positions of its columns, in the order of its elements.
        shapes: input name to the shape of a row.
    """

    width: int
    names: Sequence[str] | None
    has_index: bool
    places: Mapping[str, Sequence[int]]
    shapes: Mapping[str, tuple[int, ...]]

    def column(self, position: int) -> str:
        """A column, as errors name it."""
        name = self.names[position] if self.names else ""
        return f"column {position + 1}" + (f" ({name!r})" if name else "")


def read_layout(text: CsvText, specs: Sequence[InputSpec], header: bool | None) -> Layout:
    """Detect the meaning of a file's columns.

    Args:
        text: the file.
        specs: the model's inputs.
        header: whether its first line is a header; None: detect it.

    Raises:
        InputError: it is ambiguous, or the columns do not match the inputs.
    """
    first = text.first
    names = [cell.strip() for cell in first.cells]
    has_index = header is not False and len(names) > 1 and names[0] in _INDEX
    own = {place: name for place, name in enumerate(names) if place or not has_index}
    if text.rivals and any(spec.dtype == "string" for spec in specs):
        raise text.refusal(
            first.line,
            f" may be delimited by any of {[text.delimiter, *text.rivals]}. Put quotation marks "
            "around the texts.",
        )
    if header is False and len(specs) > 1:
        inputs = [spec.name for spec in specs]
        raise text.refusal(first.line, f" must name the columns: the model has inputs {inputs}.")
    is_named = header is not False and _names_inputs(own, specs)
    if not is_named:
        _require_width(text, len(own), specs[0], has_index)
    if header is None:
        header = is_named or _is_header(text, list(own.values()), has_index, specs[0])
    if not header:
        places: Mapping[str, Sequence[int]] = {specs[0].name: list(own)}
    else:
        _require_distinct(text, names)
        places = _by_name(text, own, specs) if is_named else {specs[0].name: _in_order(own)}
    shapes = {spec.name: _row_shape(spec, len(places[spec.name])) for spec in specs}
    return Layout(len(names), names if header else None, has_index, places, shapes)


def _names_inputs(own: Mapping[int, str], specs: Sequence[InputSpec]) -> bool:
    """Whether the columns are matched with the inputs by name."""
    wanted = (column for spec in specs for column in _columns(spec, own.values()))
    return len(specs) > 1 or not set(wanted).isdisjoint(own.values())


def _columns(spec: InputSpec, names: Collection[str]) -> list[str]:
    """Names of an input's columns; `names` are those of all columns."""
    count = sum(name.startswith(f"{spec.name}[") for name in names)
    return element_names(spec.name, numbered(_row_shape(spec, count)))


def _row_shape(spec: InputSpec, count: int) -> tuple[int, ...]:
    """The shape of a row, with the length of a dynamic axis from the number of columns."""
    known = prod(size for size in spec.shape[1:] if size is not None)
    return tuple(max(1, count // known) if size is None else size for size in spec.shape[1:])


def _require_width(text: CsvText, count: int, spec: InputSpec, has_index: bool) -> None:
    """Check the number of columns that are taken in order."""
    if spec.shape[1:].count(None) > 1:
        raise InputError(
            f"{text.path}: a line of a CSV does not give the shape of a row of {spec.name!r}, "
            f"which has {spec.shape[1:].count(None)} dynamic axes. Use a .npy or .json file."
        )
    wanted = prod(_row_shape(spec, count))
    if count == wanted:
        return
    index = " beside the index column" if has_index else ""
    hint = ""
    if count == wanted + 1:
        hint = " An index column must be the first, without a name in the header."
    elif count == 1:
        hint = " Cells are delimited by commas, semicolons, tabs or |."
    raise text.refusal(
        text.first.line,
        f" has {counted(count, 'column')}{index}; the model expects {wanted}, the elements of "
        f"{spec.name!r}.{hint}",
    )


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


def _are_numbers(names: Collection[str]) -> bool:
    """Whether columns are named 0, 1, 2 …, in any order."""
    return set(names) == {str(number) for number in range(len(names))}


def _require_distinct(text: CsvText, names: Sequence[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        places = [position + 1 for position, name in enumerate(names) if name == twice]
        raise text.refusal(
            text.first.line,
            f" names columns {' and '.join(map(str, places))} {twice!r}. Give each its own name.",
        )


def _by_name(
    text: CsvText, own: Mapping[int, str], specs: Sequence[InputSpec]
) -> dict[str, list[int]]:
    """Input name to the positions of its columns."""
    wanted = {spec.name: _columns(spec, own.values()) for spec in specs}
    every = [column for columns in wanted.values() for column in columns]
    positions = {name: position for position, name in own.items()}
    missing = [column for column in every if column not in positions]
    unknown = [name for name in positions if name not in every]
    if missing or unknown:
        faults = {"lacks the columns": missing, "has the unknown columns": unknown}
        said = " and ".join(f"{k} {shortened(v, 200)}" for k, v in faults.items() if v)
        raise text.refusal(text.first.line, f" {said}; the model takes {shortened(every, 200)}.")
    return {name: [positions[c] for c in columns] for name, columns in wanted.items()}


def _in_order(own: Mapping[int, str]) -> list[int]:
    """Positions of the columns in the order of elements; columns named by numbers are sorted."""
    return sorted(own, key=lambda p: int(own[p])) if _are_numbers(own.values()) else list(own)
