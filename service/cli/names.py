"""Names of the columns of a table: of a row's elements, and of an answer's."""

from collections.abc import Sequence
from itertools import product


def element_names(name: str, axes: Sequence[Sequence[str]]) -> list[str]:
    """A name for each element of an array, in row-major order: name[0][3].

    Args:
        name: of the array; that of its only element, if `axes` is empty.
        axes: what to call the indices of each axis.
    """
    return [name + "".join(f"[{part}]" for part in parts) for parts in product(*axes)]


def numbered(shape: Sequence[int]) -> list[list[str]]:
    """Axes whose indices are called by their numbers; an axis of one element has no name."""
    return [[str(index) for index in range(size)] for size in shape if size != 1]


def counted(number: int, noun: str) -> str:
    """A number of things: 1 row, 2 rows."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
