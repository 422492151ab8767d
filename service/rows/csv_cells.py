"""Reads the cells of a CSV file as the values of an input."""

import re
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import shortened
from service.manifest import InputSpec

#: Larger integers are not exact as floats.
_EXACT = 1 << 53
_BOOLS = {"true": 1, "false": 0, "1": 1, "0": 0}
#: Numbers, also in forms that are not accepted.
_LIKE_A_NUMBER = re.compile(r"[+-]?(?=\D*\d)[\d.,_'\s]+([eE][+-]?\d+)?\s*%?")
#: Words for a missing value.
_MISSING = {"", "-", "na", "n/a", "#n/a", "<na>", "null", "none"}
_WITH_COMMA = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
_GROUPED = re.compile(r"\d[,_'\s]\d|\.\d+\.")
_THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2},\d{3}\s*")


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        number = float(text)  # as in 3.0
        if number.is_integer() and abs(number) < _EXACT:
            return int(number)
        raise


def _bool(text: str) -> int:
    try:
        return _BOOLS[text.strip().lower()]
    except KeyError:
        raise ValueError(text) from None


def _text(text: str) -> str:
    if not text:
        raise ValueError("it may be missing as well as empty")
    return text


#: How a cell is read, and the type code of the array it goes to, by the kind of the dtype.
_READERS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "f": (float, "d"),
    "i": (_whole, "q"),
    "u": (_whole, "Q"),
    "b": (_bool, "b"),
}


class BadCellError(ValueError):
    """A cell cannot be read.

    Attributes:
        position: of the cell among those that were given.
        message: what it is, and what would be right.
    """

    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position, self.message = position, message


class DecimalCommas:
    """Reads decimal commas in files with another delimiter.

    A file has either decimal commas or decimal points. Because 1,500 may also be 1500 with a
    thousands separator, at least one number must be unambiguous.
    """

    def __init__(self) -> None:
        self._has_points = self._is_certain = False
        self._first: tuple[int, str] | None = None

    def with_points(self, line: int, cells: Sequence[str]) -> Sequence[str]:
        """The same cells with decimal points."""
        joined = "".join(cells)
        self._has_points = self._has_points or "." in joined
        return [self._with_point(line, cell) for cell in cells] if "," in joined else cells

    def doubt(self) -> tuple[int, str] | None:
        """Line and description of an ambiguous number; None: there is none."""
        if self._first is None or (self._is_certain and not self._has_points):
            return None
        line, cell = self._first
        why = (
            "others have a decimal point"
            if self._has_points
            else "it may be a decimal comma or a thousands separator"
        )
        return line, f"{shortened(cell)!r} has a comma, and {why}. Write decimal points everywhere."

    def _with_point(self, line: int, cell: str) -> str:
        if not _WITH_COMMA.fullmatch(cell):
            return cell
        self._first = self._first or (line, cell)
        self._is_certain = self._is_certain or not _THOUSANDS.fullmatch(cell)
        return cell.replace(",", ".")


class CellReader:
    """Collects the values of one input, row by row.

    Args:
        spec: the input.
        commas: reads decimal commas; None: the delimiter is a comma.
    """

    def __init__(self, spec: InputSpec, commas: DecimalCommas | None = None) -> None:
        self._dtype = spec.dtype
        self._kind = "" if spec.dtype == "string" else np.dtype(spec.dtype).kind
        self._is_number = self._kind in tuple("fiu")
        self._commas = commas if self._is_number else None
        self._read, self._code = _READERS.get(self._kind, (_text, ""))
        self._values = self._none()

    def add(self, line: int, cells: Sequence[str]) -> None:
        """Add the cells of a row.

        Raises:
            BadCellError: a cell is empty, or has no value of the input's dtype.
        """
        if self._commas is not None:
            cells = self._commas.with_points(line, cells)
        if self._is_number and "_" in "".join(cells):  # which Python accepts in numbers
            raise self._refusal(cells)
        try:
            self._values.extend(map(self._read, cells))
        except (ValueError, OverflowError) as error:
            raise self._refusal(cells) from error

    def array(self) -> NDArray[Any]:
        """(N,) values of all rows; float64, int64, uint64, bool, or objects that are `str`."""
        if not self._code:
            return np.array(self._values, object)
        found = np.asarray(self._values)
        return found.view(bool) if self._kind == "b" else found

    def is_name(self, cell: str) -> bool:
        """Whether a cell can only be the name of a column, not a number or a missing value."""
        cell = cell.strip()
        like_a_value = _LIKE_A_NUMBER.fullmatch(cell) or cell.lower() in _MISSING
        return not like_a_value and not self._accepts(cell)

    def _none(self) -> Any:
        return array(self._code) if self._code else []

    def _accepts(self, cell: str) -> bool:
        try:
            self._none().append(self._read(cell))
        except (ValueError, OverflowError):
            return False
        return not (self._is_number and "_" in cell)

    def _refusal(self, cells: Sequence[str]) -> BadCellError:
        position = next(i for i, cell in enumerate(cells) if not self._accepts(cell))
        cell = cells[position]
        what = repr(shortened(cell)) if cell.strip() else "empty"
        text = f"is {what}; the model expects {self._dtype}."
        if cell.strip().lower() in _MISSING:
            text += " Fill it, or leave the row out."
        elif self._is_number and _GROUPED.search(cell):
            text += " Write numbers with a decimal point, and without thousands separators."
        return BadCellError(position, text)
