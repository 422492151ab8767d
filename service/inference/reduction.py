"""From the summaries of rows to the prediction of an output."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.measures import BoundMeasure
from service.core.summary import value
from service.errors import OutputError
from service.inference.looks import Found, in_order
from service.protocol.prediction import OutputPrediction

Array = NDArray[Any]


def reduce_output(
    name: str, parts: Sequence[Found], measures: Sequence[BoundMeasure]
) -> OutputPrediction:
    """Combine the summaries of all rows for one output.

    Args:
        name: of the output.
        parts: of all rows, in any order.
        measures: of the output.

    Raises:
        OutputError: the model answered with NaN or infinity.
    """
    mean = in_order(parts, lambda part: part.summaries[name].moments.mean)
    variance = in_order(parts, lambda part: part.summaries[name].moments.variance)
    # A NaN sample makes the mean NaN.
    require_finite(f"output {name!r}", mean + variance)
    return OutputPrediction(
        mean, variance, {m.name: in_order(parts, partial(_value, m)) for m in measures}
    )


def _value(measure: BoundMeasure, part: Found) -> Array:
    values = value(measure, part.summaries)
    if values.dtype.kind == "f":
        require_finite(f"measure {measure.name!r} of output {measure.output!r}", values, part.rows)
    return values


def require_finite(what: str, values: Array, rows: NDArray[np.intp] | None = None) -> None:
    """Check values of rows.

    Args:
        what: they are.
        values: (R, …) floats.
        rows: (R,) indices of the rows in the request; None: all, in order.

    Raises:
        OutputError: one is NaN or infinite.
    """
    if not np.isfinite(values).all():
        index = int(np.argwhere(~np.isfinite(values))[0][0])
        row = index if rows is None else rows[index]
        raise OutputError(
            f"the answer for row {row} has NaN or infinity in {what}. Check that the row is in the "
            f"range of the training data."
        )
