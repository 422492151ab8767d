"""Reads the records of a CSV file: detects its encoding and delimiter, and counts lines."""

import codecs
import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from service.errors import InputError

#: Delimiters by preference: numbers may contain a comma, but none of the others.
_DELIMITERS = "\t;|,"
#: Number of lines from which the delimiter is detected.
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
        rivals: other delimiters that also split the first lines into equal numbers of cells.
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
        """All records, without blank lines.

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
                    f" is not CSV: {error}. A quoted cell must end with a quotation mark, and "
                    "quotation marks in it must be doubled.",
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
    """UTF-8 with or without a byte order mark, or UTF-16 with one."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in _UTF16 else _UTF8


def _sizes(lines: Sequence[str], delimiter: str) -> list[int]:
    """Number of cells of each record, except the last one if it may be incomplete."""
    found = []
    with suppress(csv.Error):  # reported when the file is read
        found = [len(c) for c in csv.reader(lines, delimiter=delimiter) if not _is_blank(c)]
    return found[:-1] if len(lines) == _SAMPLE and len(found) > 1 else found


def _is_blank(cells: Sequence[str]) -> bool:
    """Whether a line is blank; a quoted empty cell is not."""
    return not cells or (len(cells) == 1 and cells[0].isspace())
