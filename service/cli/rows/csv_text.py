"""The records of a CSV file: its encoding, its delimiter, and the line of each record."""

import codecs
import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from service.errors import InputError

#: Delimiters, in the order of preference: a number may contain the last, but none of the others.
_DELIMITERS = "\t;|,"
#: Number of lines that decide on the delimiter.
_SAMPLE = 100
#: Encodings: UTF-8 with or without a byte order mark, and the marks of UTF-16.
_UTF8 = "utf-8-sig"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Record(NamedTuple):
    """A record of a CSV file, and the line on which it begins, from 1."""

    line: int
    cells: list[str]


class CsvText:
    """A CSV file as text.

    Attributes:
        path: of the file.
        delimiter: between its cells.
        rivals: others that also give each of the first lines the same number of cells.
        first: the first record.

    Raises:
        InputError: it has no records, or is not text.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._encoding = _encoding(path)
        self.delimiter, self.rivals = self._delimiters()
        first = next(self.records(), None)
        if first is None:
            raise InputError(f"{path} is empty; it needs a line for each row.")
        self.first = first

    def records(self) -> Iterator[Record]:
        """All records; blank lines are not among them.

        Raises:
            InputError: a line is not text, or not CSV.
        """
        line = 1
        with self.path.open(newline="", encoding=self._encoding) as file:
            reader = csv.reader(file, delimiter=self.delimiter, strict=True)
            try:
                for cells in reader:
                    if not _is_blank(cells):
                        yield Record(line, cells)
                    line = reader.line_num + 1
            except csv.Error as error:
                raise self.refusal(
                    line,
                    f" is not CSV: {error}. A cell that begins with a quotation mark ends with "
                    "one, and has its own quotation marks twice.",
                ) from error
            except UnicodeError as error:
                raise self._undecodable() from error

    def refusal(self, line: int, text: str) -> InputError:
        """The error of a line."""
        return InputError(f"{self.path}, line {line}{text}")

    def _delimiters(self) -> tuple[str, list[str]]:
        """The delimiter, and its rivals."""
        try:
            with self.path.open(newline="", encoding=self._encoding) as file:
                lines = list(islice(file, _SAMPLE))
        except UnicodeError as error:
            raise self._undecodable() from error
        sizes = {delimiter: _sizes(lines, delimiter) for delimiter in _DELIMITERS}
        present = [one for one, found in sizes.items() if found and found[0] > 1]
        even = [one for one in present if len(set(sizes[one])) == 1]
        best, *rivals = even or present[:1] or [","]
        return best, rivals

    def _undecodable(self) -> InputError:
        if self._encoding == _UTF8:
            with self.path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    try:
                        line.decode()
                    except UnicodeDecodeError as error:
                        text = f" is not UTF-8 ({error.reason}). Save the file as UTF-8."
                        return self.refusal(number, text)
        return InputError(f"{self.path} is not complete UTF-16. Save it as UTF-8.")


def _encoding(path: Path) -> str:
    """UTF-8 with or without a byte order mark, or UTF-16 with one, as spreadsheets write it."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in _UTF16 else _UTF8


def _sizes(lines: Sequence[str], delimiter: str) -> list[int]:
    """Numbers of cells of the records, without the last one if more lines may belong to it."""
    found = []
    with suppress(csv.Error):  # reported when the file is read
        found = [len(c) for c in csv.reader(lines, delimiter=delimiter) if not _is_blank(c)]
    return found[:-1] if len(lines) == _SAMPLE and len(found) > 1 else found


def _is_blank(cells: Sequence[str]) -> bool:
    """Whether a line has nothing on it; a quoted empty cell is something."""
    return not cells or (len(cells) == 1 and cells[0].isspace())
