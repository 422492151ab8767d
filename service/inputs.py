"""Turn what a user sends into arrays a model takes, or say what is wrong with it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import InputError
from service.manifest import InputSpec

Array = NDArray[Any]
#: Names a place inside the sent value from its indices, for messages: (3, 5) to "x[3][5]".
Where = Callable[[tuple[int, ...]], str]


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
        raise InputError(f"{root} names inputs {sorted(map(str, value))}; the model has {names}.")
    where = where or (lambda name: at(f"{root}.{name}"))
    arrays = {spec.name: read_rows(value[spec.name], spec, where(spec.name)) for spec in specs}
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"{root} has a different number of rows for each input: {counts}.")
    return arrays


def read_rows(value: Any, spec: InputSpec, where: Where) -> Array:
    """Read the rows of one input; see `read_inputs`."""
    array = _as_array(value)
    allowed = "b" if spec.dtype == "bool" else "iuf"
    if array is None or array.dtype.kind not in allowed or not _fits(array, spec):
        if not isinstance(value, np.ndarray):
            _explain(value, spec, where)
        raise InputError(_unfit_array(array, spec, where))
    return _cast(array, spec, where)


def _as_array(value: Any) -> Array | None:
    try:
        return np.asarray(value)
    except (ValueError, OverflowError):  # ragged, or an integer beyond 64 bits
        return None


def _fits(array: Array, spec: InputSpec) -> bool:
    return (
        array.ndim == len(spec.shape)
        and len(array) > 0
        and all(want in (None, got) for want, got in zip(spec.shape, array.shape, strict=True))
    )


def _unfit_array(array: Array | None, spec: InputSpec, where: Where) -> str:
    shape = "ragged" if array is None else f"{array.shape} and dtype {array.dtype}"
    hint = ""
    if array is not None and array.ndim == len(spec.shape) - 1:
        hint = f" For one row, add an axis in front: {(1, *array.shape)}."
    return (
        f"{where(())} has shape {shape}; the model takes {spec.dtype} of shape "
        f"{_shape_text(spec)}.{hint}"
    )


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


def _explain(value: Any, spec: InputSpec, where: Where) -> None:
    """Find the first place at which nested lists do not fit, and raise for it."""
    sizes: list[int | None] = list(spec.shape)

    def visit(item: Any, indices: tuple[int, ...]) -> None:
        depth = len(indices)
        if depth == len(sizes):
            _explain_number(item, spec, where(indices))
            return
        if not isinstance(item, list | tuple | np.ndarray):
            raise InputError(
                f"{where(indices)} is {_kind(item)}; the model takes lists of shape "
                f"{_shape_text(spec)}."
            )
        if not len(item) and depth == 0:
            raise InputError(f"{where(())} is empty; send at least one row.")
        if sizes[depth] is None and depth:
            sizes[depth] = len(item)  # a dynamic axis: the first row decides
        if depth and len(item) != sizes[depth]:
            raise InputError(
                f"{where(indices)} has {len(item)} values; the model takes {sizes[depth]} there "
                f"(rows of shape {_shape_text(spec)})."
            )
        for index, child in enumerate(item):
            visit(child, (*indices, index))

    visit(value, ())


def _explain_number(item: Any, spec: InputSpec, place: str) -> None:
    if isinstance(item, np.generic):
        item = item.item()
    wanted = bool if spec.dtype == "bool" else int | float
    if not isinstance(item, wanted) or (isinstance(item, bool) and wanted is not bool):
        raise InputError(f"{place} is {_kind(item)}; the model takes {spec.dtype} there.")
    if isinstance(item, int) and abs(item) >= 1 << 63:
        raise InputError(f"{place} is {_too_large(item, spec)}.")


def _too_large(item: int, spec: InputSpec) -> str:
    text = str(item)
    shown = text if len(text) <= 40 else f"{text[:37]}…"
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
            return f"the number {item}"
        case dict():
            return "an object"
        case _:
            return "a list"
