"""Converts rows to the arrays of a model's inputs, and validates them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.client.errors import InvalidCallError
from service.client.signature import Signature, Tensor

Array = NDArray[Any]

#: Accepted kinds of arrays for inputs that are not numeric.
_KINDS = {"bool": "b", "string": "OUST"}


def read_rows(x: Any, signature: Signature) -> dict[str, Array]:
    """Read the rows of every input.

    Args:
        x: {input name: rows}, or the bare rows of a model's only input. Rows are
            anything that NumPy converts to an array, with the batch on axis 0.
        signature: of the model.

    Returns:
        Input name to (B, …) array of the input's dtype.

    Raises:
        InvalidCallError: with the place, the value and what would be right.
    """
    names = [spec.name for spec in signature.inputs]
    if not isinstance(x, Mapping):
        if len(names) > 1:
            raise InvalidCallError(
                f"x is not a mapping, and the model has several inputs: give rows for each of "
                f"{names}."
            )
        return {names[0]: _read(x, signature.inputs[0], "x")}
    if set(x) != set(names):
        raise InvalidCallError(f"x names inputs {sorted(map(str, x))}; the model has {names}.")
    return {spec.name: _read(x[spec.name], spec, f"x[{spec.name!r}]") for spec in signature.inputs}


def _read(value: Any, spec: Tensor, place: str) -> Array:
    if np.ma.is_masked(value):
        raise InvalidCallError(f"{place} has masked values. Fill them, or leave their rows out.")
    in_lists = not hasattr(value, "__array__")
    try:
        if spec.dtype == "string" and in_lists:
            _require_even(value, place)
            # Otherwise NumPy would pad each string to the longest.
            array = np.array(value, object)
        else:
            array = np.asarray(value)
    except (ValueError, TypeError) as error:
        _require_even(value, place)
        raise InvalidCallError(f"{place} is not an array of numbers: {error}.") from error
    if array.dtype.kind not in _KINDS.get(spec.dtype, "iuf"):
        raise InvalidCallError(
            f"{place} has elements of type {array.dtype}; the model expects {spec.dtype}."
        )
    if not _fits(array, spec):
        hint = " For one row, add an axis: x[None]." if array.ndim == len(spec.shape) - 1 else ""
        raise InvalidCallError(
            f"{place} has shape {array.shape}; the model expects {_shape_text(spec)}.{hint}"
        )
    if spec.dtype == "string":
        _require_text(array, place)
        return array
    return _cast(array, np.dtype(spec.dtype), place)


def _require_text(array: Array, place: str) -> None:
    """Check that each element is a valid string, or its bytes."""
    for index, value in enumerate(array.reshape(-1).tolist()):
        try:
            if isinstance(value, bytes):
                value.decode()
            elif isinstance(value, str):
                value.encode()
            else:
                raise TypeError(f"is of type {type(value).__name__}; the model expects strings")
        except (TypeError, UnicodeError) as error:
            where = place + "".join(f"[{int(i)}]" for i in np.unravel_index(index, array.shape))
            raise InvalidCallError(f"{where} {_fault(error)}.") from None


def _fault(error: TypeError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "is not valid UTF-8 text"
    return str(error)


def _require_even(value: Any, place: str) -> tuple[int, ...]:
    """The shape of nested lists.

    Raises:
        InvalidCallError: naming the first item whose shape is not that of its siblings.
    """
    if not isinstance(value, list | tuple | np.ndarray):
        return ()
    shapes = [_require_even(item, f"{place}[{index}]") for index, item in enumerate(value)]
    for index, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise InvalidCallError(
                f"{place}[{index}] has shape {shape}, and {place}[0] has {shapes[0]}: all rows "
                f"need the same shape."
            )
    return (len(value), *(shapes[0] if shapes else ()))


def _fits(array: Array, spec: Tensor) -> bool:
    return (
        array.ndim == len(spec.shape)
        and len(array) > 0
        and all(want in (None, got) for want, got in zip(spec.shape, array.shape, strict=True))
    )


def _shape_text(spec: Tensor) -> str:
    sizes = ["rows", *("any" if size is None else str(size) for size in spec.shape[1:])]
    return f"({', '.join(sizes)}{',' * (len(sizes) == 1)}), of {spec.dtype} and at least one row"


def _cast(array: Array, dtype: "np.dtype[Any]", place: str) -> Array:
    """Convert numbers to `dtype`; raises if one cannot be represented."""
    if array.dtype == dtype:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        cast = array.astype(dtype)
    lost = np.isfinite(array) & ~np.isfinite(cast) if dtype.kind == "f" else cast != array
    if np.logical_or.reduce(lost, axis=None):
        indices = tuple(np.argwhere(lost)[0].tolist())
        where = place + "".join(f"[{index}]" for index in indices)
        raise InvalidCallError(f"{where} is {array[indices]}, which {dtype.name} cannot represent.")
    return cast
