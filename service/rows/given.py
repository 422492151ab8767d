"""Rows that were read, with their index and further columns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from numpy.typing import NDArray

from service.manifest import InputSpec

#: Given the names of all columns or arrays of a file, the further ones to read beside the inputs,
#: with the dtype that their cells have. Raises an `InputError` if the file lacks them.
Further: TypeAlias = Callable[[Sequence[str]], Sequence[InputSpec]]


@dataclass(frozen=True)
class Rows:
    """Rows of the inputs of a model.

    Attributes:
        values: for `Predictor.prepare`.
        ids: the cells of a file's index column; None: rows are numbered from 0.
        further: name to (B,) of further columns, or to (B, …) of further arrays.
    """

    values: Any
    ids: Sequence[str] | None = None
    further: Mapping[str, NDArray[Any]] = field(default_factory=dict)
