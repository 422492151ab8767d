"""Can the answers be relied on that the calibration accepts?"""

from collections.abc import Iterator

from service.evaluation.document import Acceptance, Estimate, Evaluation
from service.evaluation.report.charts.drawing import Heading
from service.evaluation.report.charts.forest import Row, forest
from service.evaluation.report.charts.frame import percent, plain
from service.evaluation.report.evidence import share_of
from service.evaluation.report.numbers import decimals_of, drawn, interval, readable, share, value
from service.evaluation.report.view import Answer, Figure, Section, Table, Tone

QUESTION = "Can accepted answers be relied on?"


def answer(evaluation: Evaluation) -> Answer | None:
    """Whether the risk of the accepted rows is at most the target."""
    found = _acceptance(evaluation)
    if found is None:
        return None
    accepted = _shares(evaluation, found)["the data"]
    risk, of_all = _risks(evaluation, found).values()
    sentences = [
        f"The threshold on the {readable(found.measure)} accepts "
        f"{interval(accepted, percent=True)} of the rows; of those of the calibration it was "
        f"{share(found.expected)}.",
        _of_risk(found, risk, of_all),
    ]
    return Answer(QUESTION, *_said(found, risk, of_all), sentences)


def section(evaluation: Evaluation) -> Section | None:
    """The risk of accepted and of all rows, and how many are accepted."""
    found = _acceptance(evaluation)
    if found is None:
        return None
    lead = (
        "The calibration chose a threshold; rows beyond it are left to a person. "
        "What it promises holds for rows like those that it was chosen with.",
    )
    figures = [_risk_figure(evaluation, found), _share_figure(evaluation, found)]
    return Section("accepted", QUESTION, lead, figures)


def _acceptance(evaluation: Evaluation) -> Acceptance | None:
    calibrated = evaluation.calibrated
    return None if calibrated is None else calibrated.acceptance


def _shares(evaluation: Evaluation, found: Acceptance) -> dict[str, Estimate]:
    """Of which rows how many are accepted."""
    sure = evaluation.bootstrap.confidence
    shares = {"the data": share_of(found.share, evaluation.data.rows, sure)}
    if found.others is not None and evaluation.other is not None:
        shares["rows out of distribution"] = share_of(found.others, evaluation.other.rows, sure)
    return shares


def _risks(evaluation: Evaluation, found: Acceptance) -> dict[str, Estimate]:
    """The risk of accepted and of all rows."""
    if found.loss != "wrong":
        return {"accepted": found.risk, "all": found.risk_of_all}
    rows, sure = evaluation.data.rows, evaluation.bootstrap.confidence
    accepted = rows * (found.share.value or 0.0)
    return {
        "accepted": share_of(found.risk, accepted, sure),
        "all": share_of(found.risk_of_all, rows, sure),
    }


def _of_risk(found: Acceptance, risk: Estimate, of_all: Estimate) -> str:
    if found.loss != "wrong":
        return (
            f"The mean absolute error of the accepted is {interval(risk)}, of all rows "
            f"{interval(of_all)}."
        )
    promised = "" if found.target_risk is None else f"; at most {share(found.target_risk)} may be"
    return (
        f"{interval(risk, percent=True)} of the accepted answers are wrong{promised}. Of all "
        f"answers it is {interval(of_all, percent=True)}."
    )


def _said(found: Acceptance, risk: Estimate, of_all: Estimate) -> tuple[str, Tone]:
    if risk.value is None or risk.low is None or risk.high is None:
        return "Not known from this data", "open"
    if found.target_risk is None:
        if of_all.value is not None and risk.high < of_all.value:
            return "Yes, more than the others", "yes"
        return "No gain shown by this data", "open"
    if risk.low > found.target_risk:
        return f"No, more than {share(found.target_risk)} are wrong", "no"
    if risk.high <= found.target_risk:
        return f"Yes, at most {share(found.target_risk)} are wrong", "yes"
    return "Not shown by this data", "open"


def _risk_figure(evaluation: Evaluation, found: Acceptance) -> Figure:
    as_share = found.loss == "wrong"
    title = "Wrong answers" if as_share else "Mean absolute error"
    heading = Heading("accepted-risk", title, f"{title} among accepted and among all rows.")
    risks = _risks(evaluation, found)
    reading = "Lower is better."
    if found.target_risk is not None:
        reading = f"Dotted: the target, {share(found.target_risk)}."
    drawing = forest(
        heading,
        [*_rows(risks, as_share=as_share)],
        against=found.target_risk,
        form=percent if as_share else plain,
    )
    cells = [[name, interval(one, percent=as_share)] for name, one in risks.items()]
    return Figure(title, reading, drawing, Table(["rows", title.lower()], cells))


def _share_figure(evaluation: Evaluation, found: Acceptance) -> Figure:
    heading = Heading("accepted-share", "Accepted rows", "The share of rows that are accepted.")
    shares = _shares(evaluation, found)
    drawing = forest(heading, [*_rows(shares, as_share=True)], against=found.expected, form=percent)
    reading = f"Dotted: the share of the calibration's rows, {share(found.expected)}."
    cells = [[name, interval(one, percent=True)] for name, one in shares.items()]
    return Figure(heading.title, reading, drawing, Table(["of", "accepted"], cells))


def _rows(found: dict[str, Estimate], *, as_share: bool) -> Iterator[Row]:
    decimals = max(decimals_of(one, percent=as_share) for one in found.values())
    for name, one in found.items():
        yield Row(name, drawn(one), value(one, decimals, percent=as_share), style="s1")
