"""Is another setting better than the one of the report?"""

from service.evaluation.document import Estimate, Evaluation, MetricInfo, Result
from service.evaluation.report.charts.drawing import Heading
from service.evaluation.report.charts.forest import Row, forest
from service.evaluation.report.charts.frame import percent
from service.evaluation.report.numbers import decimals_of, drawn, interval, named, value
from service.evaluation.report.topics import comparison as of
from service.evaluation.report.view import Answer, Figure, Section, Table

QUESTION = "Is another setting better?"
#: How the rows of a verdict look.
_STYLES = {of.BETTER: "good", of.WORSE: "bad", "": "s0"}
_UNKNOWN = Estimate(value=None)


def answer(evaluation: Evaluation) -> Answer | None:
    """Which of the other settings with dropout differ from the main one."""
    main = evaluation.result()
    others = [r for r in evaluation.results if r.differences and r.setting.kind != "deterministic"]
    name = of.score_of(main, *others)
    if name is None or not others or not evaluation.bootstrap.resamples:
        return None
    groups: dict[str, list[str]] = {of.BETTER: [], of.WORSE: [], "": []}
    for other in others:
        verdict = of.verdict(other.differences.get(name), evaluation.about[name])
        groups[verdict].append(other.setting.name)
    titles = {of.BETTER: "Better", of.WORSE: "Worse", "": "No difference shown"}
    sentences = [
        f"By the {of.SCORES[name]} on the same rows, compared with {main.setting.name}.",
        *(f"{titles[key]}: {'; '.join(names)}." for key, names in groups.items() if names),
    ]
    if groups[of.BETTER]:
        return Answer(QUESTION, "Yes", "yes", sentences)
    return Answer(QUESTION, "Not shown by this data", "open", sentences)


def section(evaluation: Evaluation) -> Section:
    """A forest plot for each metric of the settings."""
    figures = [
        _forest_figure(evaluation, name, info)
        for name, info in evaluation.about.items()
        if any(name in result.metrics for result in evaluation.results)
    ]
    sure = percent(evaluation.bootstrap.confidence)
    lead = [
        f"Dotted is {evaluation.main}, whose own line is the confidence interval ({sure}) of its "
        "value.",
        "The line of another setting is the interval of its difference to that one, on the same "
        "resampled rows: where it does not cross the dotted line, the two differ.",
    ]
    others = sum(len(result.differences) for result in evaluation.results)
    if others:
        chance = others * (1 - evaluation.bootstrap.confidence)
        lead.append(
            f"If no setting differs, {chance:.2g} of {others} such lines are beside the dotted "
            "line by chance alone."
        )
    return Section("settings", "Settings side by side", lead, figures)


def _row(result: Result, name: str, info: MetricInfo, shown: Result) -> Row:
    """A setting, where its difference to the shown one tells where its line is."""
    found, difference = result.metrics[name], result.differences.get(name)
    as_percent, is_shown = of.is_percentage(name), result is shown
    decimals = decimals_of(shown.metrics[name], percent=as_percent)
    verdict = of.verdict(difference, info)
    return Row(
        result.setting.name,
        drawn(found if is_shown else _placed(found, difference)),
        value(found, decimals, percent=as_percent),
        verdict,
        "s1" if is_shown else _STYLES[verdict],
    )


def _placed(found: Estimate, difference: Estimate | None) -> Estimate:
    """A value with the interval of its difference to the main one, where that is the main value."""
    if found.value is None or difference is None or difference.value is None:
        return Estimate(value=found.value)
    main = found.value - difference.value
    low, high = (None if end is None else main + end for end in (difference.low, difference.high))
    return Estimate(value=found.value, low=low, high=high)


def _forest_figure(evaluation: Evaluation, name: str, info: MetricInfo) -> Figure:
    known = [result for result in evaluation.results if name in result.metrics]
    names = [result.setting.name for result in known]
    shown = evaluation.result() if evaluation.main in names else known[0]
    heading = Heading(
        f"forest-{name}",
        of.capital(info.title),
        f"The {info.title} of {len(known)} settings, with confidence intervals of the differences "
        f"to {shown.setting.name}.",
    )
    as_percent = of.is_percentage(name)
    rows = [_row(result, name, info, shown) for result in known]
    drawing = forest(heading, rows, against=shown.metrics[name].value, form=of.form_of(name))
    return Figure(
        heading.title,
        f"{info.description} {of.direction(info)}",
        drawing,
        Table(
            ["setting", named(info.title, info.unit), f"minus {shown.setting.name}"],
            [
                [
                    result.setting.name,
                    interval(result.metrics[name], percent=as_percent),
                    interval(result.differences.get(name, _UNKNOWN), percent=as_percent),
                ]
                for result in known
            ],
        ),
    )
