"""Chooses the threshold that accepts answers, as asked for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.calibration.document import SelectionSpec
from service.core.measures import OF_CALIBRATION
from service.core.measures.confidence import Confidence
from service.core.measures.margin import Margin
from service.errors import InputError
from service.fitting.asked import Asked
from service.fitting.conformal import threshold
from service.fitting.seen import Seen
from service.fitting.selection import Judged, accepted, threshold_of_risk
from service.fitting.task import TaskFit

Array = NDArray[Any]

#: Measures with high values for certain predictions.
_CERTAIN_HIGH = (Confidence.name, Margin.name)


def choose(fit: TaskFit, rows: Seen, measure: str) -> SelectionSpec | None:
    """The threshold that is asked for.

    Args:
        fit: says which predictions are wrong.
        rows: that chose nothing that the measure depends on.
        measure: that accepts, of `rows`.

    Raises:
        InputError: the measure has several values for a row, or there are too few rows.
        FittingError: no threshold reaches the target risk.
    """
    asked = fit.asked
    if not asked.selects:
        return None
    sign = -1 if measure in _CERTAIN_HIGH else 1
    doubt = sign * _one_for_each_row(rows, measure)
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
        keep="at_most" if sign == 1 else "at_least",
        target_risk=asked.target_risk,
        error_tolerance=None if asked.target_risk is None else asked.error_tolerance,
        coverage=found.share,
        confidence=None if asked.target_risk is None else asked.confidence,
        guarantee=guarantee,
    )


def _of_coverage(doubt: Array, asked: Asked) -> float:
    return threshold(doubt, asked.coverage or 0.0)


def _one_for_each_row(rows: Seen, measure: str) -> Array:
    if measure in OF_CALIBRATION:
        raise InputError(f"measure {measure!r} is made by the calibration itself; name another.")
    values = rows.measures[measure].reshape(len(rows), -1)
    if values.shape[1] != 1 or values.dtype.kind != "f":
        raise InputError(
            f"measure {measure!r} has {values.shape[1]} values of type {values.dtype} for each "
            "row; a threshold takes one number for each."
        )
    return values[:, 0]
