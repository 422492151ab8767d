"""Turn what a user sends into arrays a model takes, or say what is wrong with it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from operator import countOf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import InputError, shortened
from service.manifest import InputSpec
from service.texts import as_texts

Array = NDArray[Any]
#: Names a place inside the sent value from its indices, for messages: (3, 5) to "x[3][5]".
Where = Callable[[tuple[int, ...]], str]

_BOOLS = (bool, np.bool_)
_NUMBERS = (int, float, np.integer, np.floating)
#: Kinds of arrays that an input takes, where these are not numbers.
_KINDS = {"bool": "b", "string": "OUST"}


def at(root: str) -> Where:
    """Places below `root`."""
    return lambda indices: root + "".join(f"[{index}]" for index in indices)


def read_inputs(
    value: Any, specs: Sequence[InputSpec], root: str, where: Callable[[str], Where] | None = None
) -> dict[str, Array]:
    """Read the rows of every input.

    Args:
        value: {input name: rows}, or the bare rows of a model's only input. Rows
            are an array or nested lists with the batch on axis 0.
        specs: the model's inputs.
        root: what to call `value` in messages.
        where: input name to what its places are called; by default below `root`.

    Returns:
        Input name to (B, …) array of the input's dtype, B at least 1.

    Raises:
        InputError: naming the place, what is there and what would be right.
    """
    names = [spec.name for spec in specs]
    if not isinstance(value, Mapping):
        if len(specs) > 1:
            raise InputError(
                f"{root} is not an object, and the model has several inputs: give rows for each "
                f"of {names}."
            )
        value, where = {names[0]: value}, where or (lambda name: at(root))
    if set(value) != set(names):
        named = shortened(sorted(map(str, value)), 200)
        raise InputError(f"{root} names inputs {named}; the model has {names}.")
    where = where or (lambda name: at(f"{root}.{name}"))
    arrays = {spec.name: read_rows(value[spec.name], spec, where(spec.name)) for spec in specs}
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"{root} has a different number of rows for each input: {counts}.")
    return arrays


def read_rows(value: Any, spec: InputSpec, where: Where) -> Array:
    """Read the rows of one input; see `read_inputs`."""
    if np.ma.is_masked(value):
        raise InputError(f"{where(())} has masked values. Fill them, or leave their rows out.")
    array = np.asarray(value) if hasattr(value, "__array__") else _from_lists(value, spec, where)
    if array.dtype.kind not in _KINDS.get(spec.dtype, "iuf") or not _fits(array, spec):
        raise InputError(_unfit_array(array, spec, where))
    return as_texts(array, where) if spec.dtype == "string" else _cast(array, spec, where)


def _from_lists(value: Any, spec: InputSpec, where: Where) -> Array:
    """(B, …) array of nested lists, axis by axis.

    Every value's type is known before there is an array: numpy would give all strings the
    length of the longest, and each step takes time and memory in proportion to the values.
    """
    level: Sequence[Any] = [value]
    shape: list[int] = []
    for size in spec.shape:
        if countOf(map(type, level), list) < len(level):
            if any(hasattr(kind, "__array__") for kind in set(map(type, level))):
                return _of_arrays(value, spec, where)
            _require_lists(level, shape, spec, where)
        # The first row decides on a dynamic axis, and the value on the number of rows.
        wanted = len(level[0]) if size is None or not shape else size
        _require_sizes(level, wanted, shape, spec, where)
        shape.append(wanted)
        if len(shape) < len(spec.shape):
            level = list(chain.from_iterable(level))
    return _from_values(level, shape, spec, where).reshape(shape)


def _of_arrays(value: Any, spec: InputSpec, where: Where) -> Array:
    """Arrays in lists, which no request has."""
    try:
        return np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise InputError(_unfit_array(None, spec, where)) from error


def _require_lists(
    level: Sequence[Any], shape: Sequence[int], spec: InputSpec, where: Where
) -> None:
    for index, item in enumerate(level):
        if not isinstance(item, list | tuple):
            raise InputError(
                f"{where(_indices(index, shape))} is {_kind(item)}; the model takes lists of shape "
                f"{_shape_text(spec)}."
            )


def _require_sizes(
    level: Sequence[Any], wanted: int, shape: Sequence[int], spec: InputSpec, where: Where
) -> None:
    if not wanted and not shape:
        raise InputError(f"{where(())} is empty; send at least one row.")
    if wanted and set(map(len, level)) == {wanted}:
        return
    index = next(i for i, item in enumerate(level) if len(item) != wanted or not wanted)
    takes = wanted or "1 or more"
    raise InputError(
        f"{where(_indices(index, shape))} has {len(level[index])} values; the model takes {takes} "
        f"there (rows of shape {_shape_text(spec)})."
    )


def _from_values(
    last: Sequence[Sequence[Any]], shape: Sequence[int], spec: InputSpec, where: Where
) -> Array:
    """(N,) array of what is in the lists of the last axis, each of a type that the model takes."""
    values = partial(chain.from_iterable, last)
    count = len(last) * shape[-1]
    if spec.dtype not in _KINDS and countOf(map(type, values()), float) == count:
        return np.fromiter(values(), np.float64, count)
    wrong = {kind for kind in set(map(type, values())) if not _is_wanted(kind, spec)}
    if wrong:
        index, item = next(found for found in enumerate(values()) if type(found[1]) in wrong)
        place = where(_indices(index, shape))
        raise InputError(f"{place} is {_kind(item)}; the model takes {spec.dtype} there.")
    if spec.dtype == "string":
        return np.fromiter(values(), object, count)
    array = np.array(list(values()))
    if array.dtype == object:  # a whole number beyond 64 bits
        large = (found for found in enumerate(values()) if isinstance(found[1], int))
        index, item = next(found for found in large if abs(found[1]) >= 1 << 63)
        raise InputError(f"{where(_indices(index, shape))} is {_too_large(item, spec)}.")
    return array


def _is_wanted(kind: type, spec: InputSpec) -> bool:
    if spec.dtype == "string":
        return issubclass(kind, str)
    if spec.dtype == "bool":
        return issubclass(kind, _BOOLS)
    return issubclass(kind, _NUMBERS) and not issubclass(kind, _BOOLS)


def _indices(index: int, shape: Sequence[int]) -> tuple[int, ...]:
    """Where the item that is number `index` in row-major order lies."""
    return tuple(int(i) for i in np.unravel_index(index, tuple(shape))) if shape else ()


def _fits(array: Array, spec: InputSpec) -> bool:
    return (
        array.ndim == len(spec.shape)
        and array.size > 0
        and all(want in (None, got) for want, got in zip(spec.shape, array.shape, strict=True))
    )


def _unfit_array(array: Array | None, spec: InputSpec, where: Where) -> str:
    shape = "ragged" if array is None else f"{array.shape} and dtype {_dtype_text(array)}"
    hint = ""
    if array is not None and array.ndim == len(spec.shape) - 1:
        hint = f" For one row, add an axis in front: {(1, *array.shape)}."
    elif array is not None and not array.size:
        hint = " No axis may be empty."
    return (
        f"{where(())} has shape {shape}; the model takes {spec.dtype} of shape "
        f"{_shape_text(spec)}.{hint}"
    )


def _dtype_text(array: Array) -> str:
    is_text = array.dtype == object and isinstance(next(array.flat, None), str)
    return "string" if is_text else str(array.dtype)


def _shape_text(spec: InputSpec) -> str:
    sizes = ["rows", *("any" if size is None else str(size) for size in spec.shape[1:])]
    return f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"


def _cast(array: Array, spec: InputSpec, where: Where) -> Array:
    """Cast to the input's dtype; a value that would change is an error."""
    dtype = np.dtype(spec.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        cast = np.ascontiguousarray(array, dtype)
    good = np.isfinite(cast) if dtype.kind == "f" else cast == array
    if not good.all():
        if array.dtype.kind == "f":
            _require(np.isfinite(array), array, where, "the model takes finite numbers")
        _require(good, array, where, f"the model takes {dtype.name}, which cannot hold it")
    return cast


def _require(good: Array, array: Array, where: Where, wanted: str) -> None:
    if not good.all():
        indices = tuple(np.argwhere(~good)[0].tolist())
        raise InputError(f"{where(indices)} is {array[indices]}; {wanted}.")


def _too_large(item: int, spec: InputSpec) -> str:
    shown = shortened(item)
    if np.dtype(spec.dtype).kind == "f":
        return f"{shown}; write a whole number beyond 64 bits with an exponent, such as 1e30"
    return f"{shown}, which {spec.dtype} cannot hold"


def _kind(item: Any) -> str:
    """What a JSON value is, in JSON's words."""
    match item:
        case None:
            return "null"
        case bool():
            return f"{item}".lower()
        case str():
            return f"the string {item[:40]!r}"
        case int() | float():
            return f"the number {shortened(item)}"
        case dict():
            return "an object"
        case _:
            return "a list"
