"""Tables of the sets, intervals and decisions of an evaluation's calibration."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from service.cli.evaluation.numbers import NONE, ends, number, percent, value
from service.evaluation.document import Acceptance, Estimate, Evaluation, Interval, PredictionSets
from service.evaluation.report.evidence import share_of

#: Columns and rows.
Table: TypeAlias = tuple[Sequence[str], Sequence[Sequence[str]]]


def calibrated_tables(evaluation: Evaluation) -> Iterator[Table]:
    """What there is of the setting with the calibration."""
    for result in evaluation.results:
        if result.sets:
            yield _of_sets(result.sets, evaluation)
        conformal = [one for one in result.intervals if one.is_conformal]
        if conformal:
            yield _of_intervals(conformal, evaluation)
        if result.acceptance is not None:
            yield _of_acceptance(result.acceptance, evaluation)


def _of_sets(sets: Sequence[PredictionSets], evaluation: Evaluation) -> Table:
    columns = ["sets", "coverage", _sure(evaluation), "size", "empty", "single", "least class"]
    rows = [
        [
            f"{one.method} {percent(one.level)}",
            value(one.coverage),
            _ends(one.coverage, evaluation),
            value(one.size),
            value(one.empty),
            value(one.single),
            f"{value(one.least.coverage)} ({one.least.name})",
        ]
        for one in sets
    ]
    return columns, rows


def _of_intervals(intervals: Sequence[Interval], evaluation: Evaluation) -> Table:
    rows = [
        [
            f"{one.method} {percent(one.level)}",
            value(one.coverage),
            _ends(one.coverage, evaluation),
            value(one.width),
            value(one.score),
        ]
        for one in intervals
    ]
    return ["prediction intervals", "coverage", _sure(evaluation), "width", "score"], rows


def _of_acceptance(found: Acceptance, evaluation: Evaluation) -> Table:
    rows = [
        [
            "accepted",
            value(found.share),
            _ends(found.share, evaluation),
            f"about {number(found.expected)}",
        ]
    ]
    target = NONE if found.target_risk is None else f"at most {number(found.target_risk)}"
    accepted = evaluation.data.rows * (found.share.value or 0.0)
    what = "wrong among" if found.loss == "wrong" else "mean absolute error of"
    for of, risk, count, stated in (
        ("accepted", found.risk, accepted, target),
        ("all", found.risk_of_all, evaluation.data.rows, NONE),
    ):
        sure = _ends(risk, evaluation, count) if found.loss == "wrong" else ends(risk)
        rows.append([f"{what} {of}", value(risk), sure, stated])
    if found.others is not None and evaluation.other is not None:
        sure = _ends(found.others, evaluation, evaluation.other.rows)
        rows.append(["accepted, out of distribution", value(found.others), sure, NONE])
    return [f"accept, by {found.measure}", "value", _sure(evaluation), "calibration"], rows


def _sure(evaluation: Evaluation) -> str:
    return f"{percent(evaluation.bootstrap.confidence)} interval"


def _ends(share: Estimate, evaluation: Evaluation, rows: float | None = None) -> str:
    """Of a share of so many rows, by default of all."""
    count = evaluation.data.rows if rows is None else rows
    return ends(share_of(share, count, evaluation.bootstrap.confidence))
