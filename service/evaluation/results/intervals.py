"""Intervals of a regression, and its calibration curve."""

from service.evaluation.document import Interval, Level
from service.evaluation.metrics import calibration
from service.evaluation.metrics.statistic import mean
from service.evaluation.results.scored import Own, Scored, Statistics, of_rows

#: Probabilities of the calibration curve.
LEVELS = tuple(round(0.05 * step, 2) for step in range(1, 20))


def interval_statistics(scored: Scored) -> Statistics:
    """Of each interval, and of the curve."""
    if scored.is_classification or not scored.has_density:
        return {}
    pit = scored.scores.losses["pit"].ravel()
    found: Statistics = {("levels",): scored.each(calibration.calibration_curve(pit, LEVELS))}
    for rule, (inside, width, score) in scored.scores.intervals.items():
        # A conformal interval promises to hold all elements of a row at once.
        held = inside.min(axis=1) if rule.is_conformal else of_rows(inside)
        found["interval", *rule, "picp"] = mean(held)
        found["interval", *rule, "mpiw"] = mean(of_rows(width))
        found["interval", *rule, "interval_score"] = mean(of_rows(score))
    return found


def intervals_of(scored: Scored, own: Own) -> tuple[Interval, ...]:
    """In the order of the scores."""
    rules = scored.scores.intervals if scored.has_density else []
    return tuple(
        Interval(
            method=rule.method,
            level=rule.level,
            coverage=own["interval", *rule, "picp"].at(),
            width=own["interval", *rule, "mpiw"].at(),
            score=own["interval", *rule, "interval_score"].at(),
        )
        for rule in rules
    )


def calibration_of(own: Own) -> tuple[Level, ...]:
    """The calibration curve, if there is one."""
    curve = own.get(("levels",))
    if curve is None:
        return ()
    return tuple(Level(expected=level, observed=curve.at(i)) for i, level in enumerate(LEVELS))
