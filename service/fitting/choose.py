"""Chooses the threshold that accepts answers, as asked for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.calibration.document import SelectionSpec
from service.core.measures import MEASURES, OF_CALIBRATION
from service.core.measures.accept import least_certain
from service.errors import InputError
from service.fitting.asked import Asked
from service.fitting.conformal import threshold
from service.fitting.seen import Seen
from service.fitting.selection import Judged, accepted, threshold_of_risk
from service.fitting.task import TaskFit

Array = NDArray[Any]

#: Ends the guarantee of a model that predicts several things for a row.
_WHOLE = (
    " A row is judged as a whole: by the least certain of its elements, and it is wrong if any of "
    "them is."
)


def choose(fit: TaskFit, rows: Seen, measure: str) -> SelectionSpec | None:
    """The threshold that is asked for.

    Args:
        fit: says which predictions are wrong.
        rows: that chose nothing that the measure depends on.
        measure: that accepts, of `rows`.

    Raises:
        InputError: the measure has no values that a threshold could divide, or there are too few
            rows.
        FittingError: no threshold reaches the target risk.
    """
    asked = fit.asked
    if not asked.selects:
        return None
    values = _values(rows, measure)
    low = MEASURES[measure].certain != "high"
    sign = 1 if low else -1
    doubt = sign * least_certain(values, low)
    if asked.target_risk is None:
        found = accepted(Judged(doubt, np.zeros(len(rows), bool)), _of_coverage(doubt, asked))
        guarantee = (
            f"A new row is accepted with a probability of at least {asked.coverage:g}, over the "
            f"choice of the {len(rows)} rows and the new one, if they are exchangeable."
        )
    else:
        judged = Judged(doubt, fit.wrong(rows))
        found = threshold_of_risk(judged, asked.target_risk, asked.confidence)
        guarantee = (
            f"With a confidence of {asked.confidence:g}, at most {asked.target_risk:.3g} of the "
            f"accepted predictions are wrong, if new rows are independent of the {len(rows)} rows "
            f"and from the same distribution. Of these, {found.rows} are accepted and "
            f"{found.errors} of them wrong."
        )
    return SelectionSpec(
        measure=measure,
        threshold=sign * found.threshold,
        keep="at_most" if low else "at_least",
        target_risk=asked.target_risk,
        error_tolerance=None if asked.target_risk is None else asked.error_tolerance,
        coverage=found.share,
        confidence=None if asked.target_risk is None else asked.confidence,
        guarantee=guarantee + (_WHOLE if values[0].size > 1 else ""),
    )


def _of_coverage(doubt: Array, asked: Asked) -> float:
    return threshold(doubt, asked.coverage or 0.0)


def _values(rows: Seen, measure: str) -> Array:
    """(N, …) of the measure, a number for each element of the output or for each prediction."""
    if measure in OF_CALIBRATION:
        raise InputError(f"measure {measure!r} is made by the calibration itself; name another.")
    if measure not in rows.measures:
        raise InputError(f"measure {measure!r} has arguments; name one without.")
    values = rows.measures[measure]
    if values.shape not in (rows.mean.shape, rows.mean.shape[:-1]) or values.dtype.kind != "f":
        raise InputError(
            f"measure {measure!r} has values of shape {values.shape[1:]} and type {values.dtype} "
            "for each row; a threshold takes one number for each prediction."
        )
    return values
