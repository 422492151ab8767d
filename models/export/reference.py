"""The outputs of Keras, and how much its own rounding changes them."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.export.check import Reference
from service.core.rounding import allowed, neighbor
from service.core.tolerances import NEIGHBORS
from service.errors import ExportError

Array = NDArray[Any]
Answer = Callable[[Sequence[Array]], list[Array]]


def reference(model: keras.Model, answer: Answer, rows: Sequence[Array], least: float) -> Reference:
    """Run Keras on rows, on slightly changed rows, and on each row alone.

    Args:
        model: whose outputs they are.
        answer: function of an array for each input that gives the outputs.
        rows: (B, …) of each input.
        least: see `allowed`.

    Raises:
        ExportError: an output does not have the batch as its first axis.
    """
    outputs = answer(rows)
    if any(y.dtype.kind not in "biuf" for y in outputs):
        raise ExportError(
            "an output does not consist of numbers, so it has no mean over passes. Let the model "
            "return only numbers."
        )
    moved = [_moved(model, answer, rows, seed) for seed in range(NEIGHBORS)]
    alone = [answer([x[i : i + 1] for x in rows]) for i in range(len(rows[0]))]
    joined = [np.concatenate(parts) for parts in zip(*alone, strict=True)]
    for wanted, parts in zip(outputs, joined, strict=True):
        if wanted.shape != parts.shape:
            raise ExportError(
                f"an output has shape {wanted.shape} for {len(rows[0])} rows, and {parts.shape} "
                "for each of them alone, so its first axis is not the batch. Let every output have "
                "an element of its first axis for each row."
            )
    variants = [*moved, joined]
    limits = [
        allowed(wanted, others, least) for wanted, *others in zip(outputs, *variants, strict=True)
    ]
    return Reference(outputs, limits)


def _moved(model: keras.Model, answer: Answer, rows: Sequence[Array], seed: int) -> list[Array]:
    """The outputs for neighbors of the rows or, if no input is a float, of the weights."""
    if any(np.issubdtype(x.dtype, np.floating) for x in rows):
        return answer([neighbor(x, seed) for x in rows])
    values = [(weight, np.asarray(weight.value)) for weight in model.weights]
    mapping = [(weight, neighbor(value, seed)) for weight, value in values]
    with keras.StatelessScope(mapping):
        return answer(rows)
