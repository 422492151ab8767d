"""What the threshold of a calibration accepts, and how often that is wrong."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.calibration.document import SelectionSpec
from service.evaluation.document import Acceptance
from service.evaluation.metrics.statistic import Statistic, mean, ratio
from service.evaluation.results.scored import Own, Scored, Statistics, of_rows

Array = NDArray[Any]


def acceptance_statistics(scored: Scored) -> Statistics:
    """Of the rows with targets."""
    if scored.scores.accepted is None or scored.selection is None:
        return {}
    accepted, loss = of_rows(scored.scores.accepted), _loss(scored, scored.selection)
    return {
        ("accepted", "share"): mean(accepted),
        ("accepted", "risk"): _weighted(accepted * loss, accepted),
        ("accepted", "risk_of_all"): mean(loss),
    }


def other_acceptance_statistics(scored: Scored) -> Statistics:
    """Of the rows out of distribution, which come after those with targets."""
    if scored.others is None or scored.others.accepted is None:
        return {}
    first, share = scored.rows, mean(of_rows(scored.others.accepted))
    return {("accepted", "others"): lambda weights: share(weights[first:])}


def acceptance_of(scored: Scored, own: Own) -> Acceptance | None:
    """None: the setting does not choose."""
    rule = scored.selection
    if rule is None:
        return None
    others = own.get(("accepted", "others"))
    return Acceptance(
        measure=rule.measure,
        expected=rule.coverage,
        target_risk=rule.target_risk,
        confidence=rule.confidence,
        error_tolerance=rule.error_tolerance,
        share=own["accepted", "share"].at(),
        loss="wrong" if _has_wrong(scored, rule) else "absolute",
        risk=own["accepted", "risk"].at(),
        risk_of_all=own["accepted", "risk_of_all"].at(),
        others=None if others is None else others.at(),
    )


def _loss(scored: Scored, rule: SelectionSpec) -> Array:
    """(B,) whether any prediction of a row is wrong, or its mean absolute error."""
    losses = scored.scores.losses
    if not _has_wrong(scored, rule):
        return of_rows(losses["absolute"])
    if scored.is_classification:
        return np.asarray(losses["wrong"].max(axis=1))
    off: Array = losses["absolute"].max(axis=1)
    return np.asarray(off > (rule.error_tolerance or 0.0), np.float64)


def _has_wrong(scored: Scored, rule: SelectionSpec) -> bool:
    return scored.is_classification or rule.error_tolerance is not None


def _weighted(values: Array, of: Array) -> Statistic:
    """(R,) the sum of (B,) values over that of other ones; NaN where that is 0."""
    both = np.stack([values, of], axis=1)

    def statistic(weights: Array) -> Array:
        above, below = (weights.T @ both).T
        return ratio(above, below)

    return statistic
