"""Numbers in JSON, flat or nested, as an array of their datatype."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.api.v2.schemas import InferInput
from service.errors import InputError, shown
from service.errors import place as place_below
from service.protocol.datatypes import BY_NAME

Array = NDArray[Any]
#: Renders the place of an element from its indices; () is the tensor.
Where = Callable[[tuple[int, ...]], str]
V = TypeVar("V")

#: Python types of the values of a datatype, and their name in messages.
_NUMBERS: tuple[set[type], str] = {int, float}, "numbers"
_TAKEN: Mapping[str, tuple[set[type], str]] = {
    "BOOL": ({bool}, "true or false"),
    "BYTES": ({str}, "strings"),
}
FLOAT_MAX = float(np.finfo(np.float64).max)


def from_json(tensor: InferInput, place: str) -> tuple[Array, Where]:
    """Read the numbers in a tensor's `data`.

    Args:
        tensor: with its data.
        place: of the tensor, for messages.

    Returns:
        Array of the tensor's shape and datatype, and the renderer of places of its elements.

    Raises:
        InputError: with the first number that its datatype cannot represent, or the number of
            values that its shape takes.
    """
    data = tensor.data or []
    where = nested_places(place)
    if data and isinstance(data[0], list):
        values = _flatten(data, tensor.shape, where)
    else:
        values, where = data, _flat_places(place, tensor.shape)
        if len(data) != prod(tensor.shape):
            raise InputError(
                f"{place}.data has {len(data)} values; shape {tensor.shape} takes "
                f"{prod(tensor.shape)}."
            )

    def named(index: int) -> str:
        return where(unravel(index, tensor.shape))

    return _as_array(values, tensor.datatype, named).reshape(tensor.shape), where


def _flatten(data: list[Any], shape: Sequence[int], where: Where) -> list[Any]:
    """The numbers of lists nested according to `shape`."""
    level: list[Any] = [data]
    for depth, size in enumerate(shape):
        for index, item in enumerate(level):
            if not isinstance(item, list) or len(item) != size:
                has = f"has {len(item)} values" if isinstance(item, list) else f"is {shown(item)}"
                # An empty tuple would name the tensor, and data is what is wrong.
                place = where(unravel(index, shape[:depth])) + ("" if depth else ".data")
                raise InputError(f"{place} {has}; shape {list(shape)} takes {size} there.")
        level = list(chain.from_iterable(level))
    return level


def _as_array(values: list[Any], datatype: str, named: Callable[[int], str]) -> Array:
    """(N,) array of the values, each of which the datatype must represent exactly."""
    dtype = BY_NAME[datatype].numpy
    kinds, takes = _TAKEN.get(datatype, _NUMBERS)
    if not kinds.issuperset(map(type, values)):
        index = _first(values, lambda value: type(value) not in kinds)
        raise InputError(f"{named(index)} is {shown(values[index])}; {datatype} takes {takes}.")
    if dtype.kind == "O":
        return np.fromiter(values, object, len(values))
    if dtype.kind in "iu":
        return _whole_numbers(values, datatype, named)
    try:
        wide = np.array(values, bool if dtype.kind == "b" else np.float64)
    except OverflowError:  # an integer beyond float64
        index = _first(values, lambda value: isinstance(value, int) and abs(value) > FLOAT_MAX)
        raise InputError(_beyond(named(index), values[index], datatype)) from None
    with np.errstate(over="ignore"):
        array = wide.astype(dtype)
    # Values that are sent as infinite or NaN are refused later, by the model's inputs.
    lost = np.flatnonzero(np.isinf(array) & np.isfinite(wide))
    if len(lost):
        raise InputError(_beyond(named(int(lost[0])), values[int(lost[0])], datatype))
    return array


def _whole_numbers(values: list[Any], datatype: str, named: Callable[[int], str]) -> Array:
    limits = np.iinfo(BY_NAME[datatype].numpy)
    low, high = int(limits.min), int(limits.max)
    if float in set(map(type, values)):
        if not all(map(_is_whole, values)):
            index = _first(values, lambda value: not _is_whole(value))
            text = f"is {shown(values[index])}; {datatype} takes whole numbers."
            raise InputError(f"{named(index)} {text}")
        values = list(map(int, values))
    try:
        return np.array(values, limits.dtype)
    except OverflowError:
        index = _first(values, lambda value: not low <= value <= high)
        raise InputError(_beyond(named(index), values[index], datatype)) from None


def _is_whole(value: float) -> bool:
    return isinstance(value, int) or value.is_integer()


def _beyond(place: str, value: object, datatype: str) -> str:
    return f"{place} is {shown(value)}, which {datatype} cannot represent."


def _first(values: Sequence[V], wrong: Callable[[V], bool]) -> int:
    return next(index for index, value in enumerate(values) if wrong(value))


def unravel(index: int, shape: Sequence[int]) -> tuple[int, ...]:
    """The indices of the element that is number `index` in row-major order."""
    return tuple(int(i) for i in np.unravel_index(index, tuple(shape))) if shape else ()


def nested_places(place: str) -> Where:
    """Renders places in nested data and in bytes; without indices, that of the tensor."""
    return lambda indices: place_below(f"{place}.data", indices) if indices else place


def _flat_places(place: str, shape: Sequence[int]) -> Where:
    def where(indices: tuple[int, ...]) -> str:
        if not indices:
            return place
        return f"{place}.data[{int(np.ravel_multi_index(indices, tuple(shape)))}]"

    return where
