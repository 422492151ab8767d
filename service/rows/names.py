"""Names of the columns of tables."""

from collections.abc import Sequence
from itertools import product


def element_names(name: str, axes: Sequence[Sequence[str]]) -> list[str]:
    """A name for each element of an array, in row-major order: name[0][3].

    Args:
        name: of the array, and of its only element if `axes` is empty.
        axes: names of the indices of each axis.
    """
    return [name + "".join(f"[{part}]" for part in parts) for parts in product(*axes)]


def numbered(shape: Sequence[int]) -> list[list[str]]:
    """Axes whose indices are named by their numbers, without axes of one element."""
    return [[str(index) for index in range(size)] for size in shape if size != 1]


def counted(number: int, noun: str) -> str:
    """A number and its noun: 1 row, 2 rows."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
