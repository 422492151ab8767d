"""Reads targets as the task of a model has them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.measures.facts import Facts, Shape
from service.errors import InputError, shortened

Array = NDArray[Any]

#: What a cell of a CSV file is read as, by task.
_CELLS = {"classification": "string", "multilabel_classification": "bool"}


def cell_type(facts: Facts) -> str:
    """The dtype that the cells of targets in a text file are read as."""
    return _CELLS.get(facts.task, "float64")


def read_targets(
    given: Mapping[str, Array], facts: Facts, where: str, *, typed: bool = True
) -> Array:
    """Targets of an output.

    Args:
        given: name to (B, …) of one array, or to (B,) of several columns, one for each element
            of a row; columns named by the labels may be in any order.
        facts: of the output.
        where: they are from, for errors.
        typed: whether integers can be told from texts.

    Returns:
        (B, …) as described in `Labeled`.

    Raises:
        InputError: with what is wrong, the first row with it, and what would be right.
    """
    try:
        if facts.task == "classification":
            return _classes(_only(given), facts, typed)
        if facts.task == "multilabel_classification":
            return _flags(_joined(given, _element_labels(facts)), facts.shape)
        view = facts.view
        return _numbers(_joined(given), facts.shape if view is None else view.shape(facts.shape))
    except InputError as error:
        raise InputError(f"{where}: the targets {error}") from error


def class_count(facts: Facts) -> int:
    """Number of classes of a classification.

    Raises:
        InputError: it is not fixed.
    """
    size = facts.shape[-1] if len(facts.shape) > 1 else 1
    if size is None:
        raise InputError("are of an output whose number of classes is not fixed.")
    return max(size, 2)


def _only(given: Mapping[str, Array]) -> Array:
    if len(given) > 1:
        raise InputError(
            f"are {len(given)} columns, {shortened(list(given), 200)}; those of a classification "
            "are one, with the index or label of the class."
        )
    return next(iter(given.values()))


def _joined(given: Mapping[str, Array], order: Sequence[str] = ()) -> Array:
    """(B, …) of one array, or (B, K) of K columns."""
    if len(given) == 1:
        return _only(given)
    names = order if set(order) == set(given) else list(given)
    return np.stack([given[name] for name in names], axis=1)


def _element_labels(facts: Facts) -> Sequence[str]:
    return [] if facts.classes is None else facts.classes[:, 1].tolist()


def _classes(found: Array, facts: Facts, typed: bool) -> Array:
    """(B, …) int64 indices of the classes."""
    count, labels = class_count(facts), [] if facts.classes is None else facts.classes.tolist()
    rows: Shape = facts.shape[:-1] if len(facts.shape) > 1 else facts.shape
    if found.dtype.kind in "OUS":
        found = _indices_of_texts(found, labels, count, typed)
    elif len(found) and _fits(found.shape, facts.shape) and count == facts.shape[-1]:
        found = _from_one_hot(found)
    found = _as_shape(found, rows, f"the index of a class, 0 to {count - 1}, or its label")
    wrong = (found != np.floor(found)) | (found < 0) | (found >= count)
    if wrong.any():
        named = f" (labels {shortened(labels, 200)})" if labels else ""
        values = shortened(np.unique(found[wrong]).tolist(), 200)
        raise InputError(
            f"have {values}, first in {_first(wrong)}; the classes are 0 to {count - 1}{named}."
        )
    return found.astype(np.int64)


def _indices_of_texts(texts: Array, labels: Sequence[str], count: int, typed: bool) -> Array:
    """(…) indices of texts that are labels or, if none is, whole numbers."""
    cells = np.array([_text(cell) for cell in texts.ravel()]).reshape(texts.shape)
    known, inverse = np.unique(cells, return_inverse=True)
    are_numbers = all(cell.isdecimal() for cell in known)
    index = {label: place for place, label in enumerate(labels)}
    differ = any(label.isdecimal() and int(label) != place for label, place in index.items())
    if are_numbers and differ and not typed:
        raise InputError(
            f"may be labels or indices: the labels are {shortened(labels, 200)}. Give a .npz "
            "file, with strings for labels or integers for indices."
        )
    unknown = [cell for cell in known.tolist() if cell not in index]
    if unknown and not are_numbers:
        first = _first(np.isin(cells, unknown))
        takes = f"the labels are {shortened(labels, 200)}" if labels else "the model has no labels"
        raise InputError(
            f"have {shortened(unknown, 200)}, first in {first}; {takes}, and the indices 0 to "
            f"{count - 1}."
        )
    found = [int(cell) if unknown else index[cell] for cell in known.tolist()]
    return np.array(found, np.float64)[inverse].reshape(texts.shape)


def _text(cell: Any) -> str:
    return (cell.decode() if isinstance(cell, bytes) else str(cell)).strip()


def _from_one_hot(found: Array) -> Array:
    wrong = (found != 0).sum(axis=-1) != 1
    wrong |= found.max(axis=-1) != 1
    if wrong.any():
        raise InputError(f"are not one-hot in {_first(wrong)}; each has one 1, and 0 otherwise.")
    index: Array = found.argmax(axis=-1)
    return index


def _flags(found: Array, shape: Shape) -> Array:
    """(B, …) bool."""
    found = _as_shape(found, shape, "0 or 1")
    wrong = (found != 0) & (found != 1)
    if wrong.any():
        raise InputError(f"have {found[wrong][0]} in {_first(wrong)}; each label is 0 or 1.")
    return found.astype(np.bool_)


def _numbers(found: Array, shape: Shape) -> Array:
    """(B, …) float64."""
    found = _as_shape(found, shape).astype(np.float64)
    wrong = ~np.isfinite(found)
    if wrong.any():
        raise InputError(f"have {found[wrong][0]} in {_first(wrong)}; they must be finite numbers.")
    return found


def _as_shape(found: Array, shape: Shape, each: str = "a number") -> Array:
    """Numbers in a shape; axes of one element may be left out or added at the end.

    `each` says what they are, for errors.
    """
    if found.dtype.kind not in "iufb":
        raise InputError(f"are of type {found.dtype}; they must be numbers.")
    long = found
    while long.ndim > len(shape) and long.shape[-1] == 1:
        long = long[..., 0]
    while long.ndim < len(shape) and shape[long.ndim] == 1:
        long = long[..., None]
    if not _fits(long.shape, shape):
        takes = ", ".join(["rows", *("any" if size is None else str(size) for size in shape[1:])])
        raise InputError(
            f"have shape {found.shape}; the model's have ({takes}), each of them {each}."
        )
    return long


def _fits(shape: Sequence[int], wanted: Shape) -> bool:
    return len(shape) == len(wanted) and all(
        want in (None, got) for got, want in zip(shape[1:], wanted[1:], strict=True)
    )


def _first(wrong: Array) -> str:
    """The first row with something wrong, and the place in it."""
    row, *index = np.argwhere(wrong)[0].tolist()
    return f"row {row}" + (f" at {index}" if index else "")
