"""Reads the rows of a CSV file."""

from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from service.errors import InputError, Loc
from service.inference.inputs import ReadRows, read_inputs
from service.manifest import InputSpec
from service.rows.csv_cells import BadCellError, CellReader, DecimalCommas
from service.rows.csv_header import Layout, read_layout
from service.rows.csv_text import CsvText, Record
from service.rows.given import Further, Rows
from service.rows.names import counted


def read_csv(
    path: Path,
    specs: Sequence[InputSpec],
    header: bool | None = None,
    further: Further | None = None,
) -> Rows:
    """Read the rows of a CSV file by the rules in docs/predict.md.

    It needs memory in proportion to the values, not to the text.

    Args:
        path: of the file.
        specs: the model's inputs.
        header: whether its first line is a header; None: detect it.
        further: see `Further`.

    Raises:
        InputError: with file, line, column and what would be right.
        OSError: the file cannot be read.
    """
    text = CsvText(path)
    layout = read_layout(text, specs, header, further)
    return _Reading(text, layout, specs).rows()


class _Reading:
    """Collects the rows of a file line by line."""

    def __init__(self, text: CsvText, layout: Layout, specs: Sequence[InputSpec]) -> None:
        self._text, self._layout, self._specs = text, layout, [*specs, *layout.further]
        self._commas = None if text.delimiter == "," else DecimalCommas()
        self._readers = {spec.name: CellReader(spec, self._commas) for spec in self._specs}
        self._lines = array("q")  # first line of each row
        self._ids: list[str] = []

    def rows(self) -> Rows:
        """All rows."""
        records = self._text.records()
        if self._layout.names is not None:
            next(records)
        for record in records:
            self._add(record)
        if not self._lines:
            raise InputError(f"{self._text.path} has a header and no rows.")
        doubt = self._commas.doubt() if self._commas else None
        if doubt is not None:
            raise self._text.refusal(doubt[0], f": {doubt[1]}")
        values = self._values()
        further = {spec.name: values.pop(spec.name) for spec in self._layout.further}
        return Rows(values, self._ids if self._layout.has_index else None, further)

    def _add(self, record: Record) -> None:
        line, cells = record
        layout = self._layout
        if len(cells) != layout.width:
            raise self._uneven(record)
        if layout.has_index:
            if not cells[0].strip():
                raise self._text.refusal(
                    line, f", {layout.column(0)} is the index column, and is empty."
                )
            self._ids.append(cells[0])
        for name, places in layout.places.items():
            try:
                self._readers[name].add(line, [cells[place] for place in places])
            except BadCellError as error:
                place = layout.column(places[error.position])
                raise self._text.refusal(line, f", {place} {error.message}") from error
        self._lines.append(line)

    def _uneven(self, record: Record) -> InputError:
        wanted, first = self._layout.width, self._text.first.line
        return self._text.refusal(
            record.line,
            f" has {counted(len(record.cells), 'cell')}, and line {first} has {wanted}. "
            f"They are delimited by {self._text.delimiter!r}; "
            "put quotation marks around a cell that contains it.",
        )

    def _values(self) -> ReadRows:
        """The values as arrays of the inputs."""
        shapes = self._layout.shapes
        arrays = {
            name: reader.array().reshape(len(self._lines), *shapes[name])
            for name, reader in self._readers.items()
        }
        try:
            return read_inputs(arrays, self._specs)
        except InputError as error:
            raise error.at(self._place) from error

    def _place(self, loc: Loc) -> str:
        """Line and column of a value; `loc` is input name, row, and indices in the row."""
        name, row, *index = loc
        shape, places = self._layout.shapes[str(name)], self._layout.places[str(name)]
        element = int(np.ravel_multi_index([*map(int, index)], shape)) if index else 0
        column = self._layout.column(places[element])
        return f"{self._text.path}, line {self._lines[int(row)]}, {column}"
