"""Matches the columns of a table with the inputs of a model."""

from collections.abc import Callable, Collection, Mapping, Sequence
from math import prod
from typing import TypeAlias

from service.errors import InputError, shortened
from service.manifest import InputSpec
from service.rows.names import counted, element_names, numbered

#: Names of an index column as pandas writes it, first and after reading it again.
INDEX = ("", "Unnamed: 0")

#: Makes an error of what is wrong with the line of names.
Refuse: TypeAlias = Callable[[str], InputError]
#: Position to name of the columns that inputs may be in.
Own: TypeAlias = Mapping[int, str]


def names_inputs(own: Own, specs: Sequence[InputSpec]) -> bool:
    """Whether the columns are matched with the inputs by name."""
    wanted = (column for spec in specs for column in _columns(spec, own.values()))
    return len(specs) > 1 or not set(wanted).isdisjoint(own.values())


def by_name(own: Own, specs: Sequence[InputSpec], refuse: Refuse) -> dict[str, list[int]]:
    """Input name to the positions of its columns, which are named as its elements.

    Raises:
        InputError: columns are missing, or unknown.
    """
    wanted = {spec.name: _columns(spec, own.values()) for spec in specs}
    every = [column for columns in wanted.values() for column in columns]
    positions = {name: position for position, name in own.items()}
    missing = [column for column in every if column not in positions]
    unknown = [name for name in positions if name not in every]
    if missing or unknown:
        faults = {"lacks the columns": missing, "has the unknown columns": unknown}
        said = " and ".join(f"{k} {shortened(v, 200)}" for k, v in faults.items() if v)
        raise refuse(f" {said}; the model takes {shortened(every, 200)}.")
    return {name: [positions[c] for c in columns] for name, columns in wanted.items()}


def in_order(own: Own) -> list[int]:
    """Positions of the columns in the order of elements; columns named by numbers are sorted."""
    return sorted(own, key=lambda p: int(own[p])) if _are_numbers(own.values()) else list(own)


def require_width(
    count: int, spec: InputSpec, refuse: Refuse, beside: str = "", *, targets: bool = False
) -> None:
    """Check the number of columns that are taken in order.

    Args:
        count: of them.
        spec: the only input.
        refuse: see `Refuse`.
        beside: which other columns there are, for the error.
        targets: whether there may be columns with targets.

    Raises:
        InputError: there are more or fewer than elements, or it is not certain how many there are.
    """
    dynamic = spec.shape[1:].count(None)
    if dynamic > 1:
        raise refuse(
            f" does not give the shape of a row of {spec.name!r}, which has {dynamic} dynamic "
            "axes. Use a .npy or .json file."
        )
    wanted = prod(row_shape(spec, count))
    if count == wanted:
        return
    hint = " Name columns with targets by --target." if targets and count > wanted else ""
    if count == wanted + 1:
        hint += " An index column must be the first, without a name in the header."
    elif count == 1:
        hint = " Cells are delimited by commas, semicolons, tabs or |."
    raise refuse(
        f" has {counted(count, 'column')}{beside}; the model expects {wanted}, the elements of "
        f"{spec.name!r}.{hint}",
    )


def row_shape(spec: InputSpec, count: int) -> tuple[int, ...]:
    """The shape of a row, with the length of a dynamic axis from the number of columns."""
    known = prod(size for size in spec.shape[1:] if size is not None)
    return tuple(max(1, count // known) if size is None else size for size in spec.shape[1:])


def _columns(spec: InputSpec, names: Collection[str]) -> list[str]:
    """Names of an input's columns; `names` are those of all columns."""
    count = sum(name.startswith(f"{spec.name}[") for name in names)
    return element_names(spec.name, numbered(row_shape(spec, count)))


def _are_numbers(names: Collection[str]) -> bool:
    """Whether columns are named 0, 1, 2 …, in any order."""
    return set(names) == {str(number) for number in range(len(names))}
