"""Converts the rows of a request to the arrays of a model's inputs, and validates them."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from operator import countOf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import InputError, Loc, shortened
from service.inference.texts import as_texts
from service.manifest import InputSpec

Array = NDArray[Any]

_BOOLS = (bool, np.bool_)
_NUMBERS = (int, float, np.integer, np.floating)
#: Accepted kinds of arrays for inputs that are not numeric.
_KINDS = {"bool": "b", "string": "OUST"}


class ReadRows(dict[str, Array]):
    """Rows that `read_inputs` returned for the inputs of the same model."""


def read_inputs(value: Any, specs: Sequence[InputSpec]) -> ReadRows:
    """Read the rows of every input.

    Args:
        value: {input name: rows}, or the bare rows of a model's only input. Rows
            are an array or nested lists with the batch on axis 0. What was read is not read again.
        specs: the model's inputs.

    Returns:
        Input name to (B, …) array of the input's dtype, B at least 1.

    Raises:
        InputError: with the place in `value`, the value and what would be right.
    """
    if isinstance(value, ReadRows):
        return value
    names = [spec.name for spec in specs]
    if not isinstance(value, Mapping):
        if len(specs) > 1:
            raise InputError(
                "is not an object, and the model has several inputs: give rows for each of "
                f"{names}.",
                (),
            )
        return ReadRows({names[0]: read_rows(value, specs[0])})
    if set(value) != set(names):
        named = shortened(sorted(map(str, value)), 200)
        raise InputError(f"names inputs {named}; the model has {names}.", ())
    arrays = ReadRows({s.name: read_rows(value[s.name], s, (s.name,)) for s in specs})
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"has a different number of rows for each input: {counts}.", ())
    return arrays


def read_rows(value: Any, spec: InputSpec, loc: Loc = ()) -> Array:
    """Read the rows of one input; see `read_inputs`."""
    if np.ma.is_masked(value):
        raise InputError("has masked values. Fill them, or leave their rows out.", loc)
    array = np.asarray(value) if hasattr(value, "__array__") else _from_lists(value, spec, loc)
    if array.dtype.kind not in _KINDS.get(spec.dtype, "iuf") or not _fits(array, spec):
        raise InputError(_unfit_array(array, spec), loc)
    return as_texts(array, loc) if spec.dtype == "string" else _cast(array, spec, loc)


def _from_lists(value: Any, spec: InputSpec, loc: Loc) -> Array:
    """(B, …) array of nested lists, axis by axis.

    Every value's type is known before there is an array: numpy would give all strings the
    length of the longest, and each step takes time and memory in proportion to the values.
    """
    level: Sequence[Any] = [value]
    shape: list[int] = []
    for size in spec.shape:
        if countOf(map(type, level), list) < len(level):
            if any(hasattr(kind, "__array__") for kind in set(map(type, level))):
                return _of_arrays(value, spec, loc)
            _require_lists(level, shape, spec, loc)
        # The first row decides on a dynamic axis, and the value on the number of rows.
        wanted = len(level[0]) if size is None or not shape else size
        _require_sizes(level, wanted, shape, spec, loc)
        shape.append(wanted)
        if len(shape) < len(spec.shape):
            level = list(chain.from_iterable(level))
    return _from_values(level, shape, spec, loc).reshape(shape)


def _of_arrays(value: Any, spec: InputSpec, loc: Loc) -> Array:
    """Convert lists of arrays, which occur only in Python."""
    try:
        return np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise InputError(_unfit_array(None, spec), loc) from error


def _require_lists(level: Sequence[Any], shape: Sequence[int], spec: InputSpec, loc: Loc) -> None:
    for index, item in enumerate(level):
        if not isinstance(item, list | tuple):
            raise InputError(
                f"is {_kind(item)}; the model expects lists of shape {_shape_text(spec)}.",
                (*loc, *_indices(index, shape)),
            )


def _require_sizes(
    level: Sequence[Any], wanted: int, shape: Sequence[int], spec: InputSpec, loc: Loc
) -> None:
    if not wanted and not shape:
        raise InputError("is empty; send at least one row.", loc)
    if wanted and set(map(len, level)) == {wanted}:
        return
    index = next(i for i, item in enumerate(level) if len(item) != wanted or not wanted)
    takes = wanted or "1 or more"
    raise InputError(
        f"has {len(level[index])} values; the model expects {takes} there (rows of shape "
        f"{_shape_text(spec)}).",
        (*loc, *_indices(index, shape)),
    )


def _from_values(
    last: Sequence[Sequence[Any]], shape: Sequence[int], spec: InputSpec, loc: Loc
) -> Array:
    """(N,) array of the values in the lists of the last axis, each of a type that is accepted."""
    values = partial(chain.from_iterable, last)
    count = len(last) * shape[-1]
    if spec.dtype not in _KINDS and countOf(map(type, values()), float) == count:
        return np.fromiter(values(), np.float64, count)
    wrong = {kind for kind in set(map(type, values())) if not _is_wanted(kind, spec)}
    if wrong:
        index, item = next(found for found in enumerate(values()) if type(found[1]) in wrong)
        text = f"is {_kind(item)}; the model expects {spec.dtype} there."
        raise InputError(text, (*loc, *_indices(index, shape)))
    if spec.dtype == "string":
        return np.fromiter(values(), object, count)
    array = np.array(list(values()))
    if array.dtype == object:  # a whole number beyond 64 bits
        large = (found for found in enumerate(values()) if isinstance(found[1], int))
        index, item = next(found for found in large if abs(found[1]) >= 1 << 63)
        raise InputError(f"is {_too_large(item, spec)}.", (*loc, *_indices(index, shape)))
    return array


def _is_wanted(kind: type, spec: InputSpec) -> bool:
    if spec.dtype == "string":
        return issubclass(kind, str)
    if spec.dtype == "bool":
        return issubclass(kind, _BOOLS)
    return issubclass(kind, _NUMBERS) and not issubclass(kind, _BOOLS)


def _indices(index: int, shape: Sequence[int]) -> tuple[int, ...]:
    """The indices of the item with number `index` in row-major order."""
    return tuple(int(i) for i in np.unravel_index(index, tuple(shape))) if shape else ()


def _fits(array: Array, spec: InputSpec) -> bool:
    return (
        array.ndim == len(spec.shape)
        and array.size > 0
        and all(want in (None, got) for want, got in zip(spec.shape, array.shape, strict=True))
    )


def _unfit_array(array: Array | None, spec: InputSpec) -> str:
    shape = "ragged" if array is None else f"{array.shape} and dtype {_dtype_text(array)}"
    hint = ""
    if array is not None and array.ndim == len(spec.shape) - 1:
        hint = f" For one row, add an axis in front: {(1, *array.shape)}."
    elif array is not None and not array.size:
        hint = " No axis may be empty."
    return f"has shape {shape}; the model expects {spec.dtype} of shape {_shape_text(spec)}.{hint}"


def _dtype_text(array: Array) -> str:
    is_text = array.dtype == object and isinstance(next(array.flat, None), str)
    return "string" if is_text else str(array.dtype)


def _shape_text(spec: InputSpec) -> str:
    sizes = ["rows", *("any" if size is None else str(size) for size in spec.shape[1:])]
    return f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"


def _cast(array: Array, spec: InputSpec, loc: Loc) -> Array:
    """Cast to the input's dtype; a value that would change is an error."""
    dtype = np.dtype(spec.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        cast = np.ascontiguousarray(array, dtype)
    good = np.isfinite(cast) if dtype.kind == "f" else cast == array
    if not good.all():
        if array.dtype.kind == "f":
            _require(np.isfinite(array), array, loc, "the model expects finite numbers")
        _require(good, array, loc, f"the model expects {dtype.name}, which cannot represent it")
    return cast


def _require(good: Array, array: Array, loc: Loc, wanted: str) -> None:
    if not good.all():
        indices = tuple(np.argwhere(~good)[0].tolist())
        raise InputError(f"is {array[indices]}; {wanted}.", (*loc, *indices))


def _too_large(item: int, spec: InputSpec) -> str:
    shown = shortened(item)
    if np.dtype(spec.dtype).kind == "f":
        return f"{shown}; write a whole number beyond 64 bits with an exponent, such as 1e30"
    return f"{shown}, which {spec.dtype} cannot represent"


def _kind(item: Any) -> str:
    """Describe a value with JSON's terms."""
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
