"""Does dropout at prediction time help, and how many passes does it take?"""

from collections.abc import Sequence

from service.evaluation.document import Estimate, Evaluation, MetricInfo, Result
from service.evaluation.report.charts import passes as chart
from service.evaluation.report.charts.drawing import Heading
from service.evaluation.report.charts.forest import Row, forest
from service.evaluation.report.charts.frame import Format, percent, plain
from service.evaluation.report.numbers import decimals_of, drawn, interval, named, value
from service.evaluation.report.view import Answer, Figure, Line, Section, Table, Tone

QUESTION = "Do the passes help?"
#: What the answer is about: a score of the whole predictive distribution, if there is one.
_SCORES = {
    "nll": "negative log-likelihood (NLL)",
    "crps": "continuous ranked probability score (CRPS)",
    "rmse": "root mean square error",
}
_AS_PERCENT = ("accuracy", "exact_match", "ece", "adaptive_ece", "calibration_error")
#: A metric has settled where it is this near to the last one, as a share of its interval.
_SETTLED = 0.1


def answer(evaluation: Evaluation) -> Answer | None:
    """Whether the main setting differs from the network without dropout."""
    main, off = evaluation.result(), _deterministic(evaluation)
    if off is None:
        return None
    both = main.metrics.keys() & off.metrics.keys()
    name = next((name for name in _SCORES if name in both), None)
    if name is None:
        return None
    ours, theirs = main.metrics[name], off.metrics[name]
    said, tone = _compared(ours, theirs)
    sentences = [
        f"The {_SCORES[name]} is {interval(ours)} for {main.setting.name}, and "
        f"{interval(theirs)} with dropout off; lower is better."
    ]
    if tone == "open":
        sentences.append(
            "The intervals overlap. That does not rule out a difference: both are of the same rows."
        )
    return Answer(QUESTION, said, tone, [*sentences, *_settled(evaluation, name)])


def section(evaluation: Evaluation) -> Section:
    """A forest plot for each metric of the settings."""
    figures = [
        _forest_figure(evaluation, name, info)
        for name, info in evaluation.about.items()
        if any(name in result.metrics for result in evaluation.results)
    ]
    lead = (
        f"Lines are confidence intervals of {percent(evaluation.bootstrap.confidence)}, from "
        f"resampled rows. The shaded band is that of this report's setting: {evaluation.main}.",
        "All settings have the same rows. Differences between them are therefore more certain than "
        "overlapping intervals suggest.",
    )
    return Section("settings", "Settings side by side", lead, figures)


def passes_section(evaluation: Evaluation) -> Section | None:
    """Scores over the number of passes."""
    series = evaluation.passes
    if len(series) < 2:
        return None
    names = [name for name in (*_SCORES, "accuracy") if name in series[0].metrics]
    lead = (
        "More passes make the estimate more precise, not the model better. Where the line is flat, "
        "further passes only cost time.",
    )
    figures = [_passes_figure(evaluation, name) for name in names]
    return Section("passes", "How many passes?", lead, figures)


def _deterministic(evaluation: Evaluation) -> Result | None:
    found = (r for r in evaluation.results if r.setting.kind == "deterministic")
    return next(found, None)


def _compared(ours: Estimate, theirs: Estimate) -> tuple[str, Tone]:
    """Whether the interval of one is below that of the other, where lower is better."""
    if ours.high is not None and theirs.low is not None and ours.high < theirs.low:
        return "Yes", "yes"
    if ours.low is not None and theirs.high is not None and ours.low > theirs.high:
        return "No", "no"
    return "Not shown by this data", "open"


def _settled(evaluation: Evaluation, name: str) -> Sequence[str]:
    """After how many passes a metric has settled, as far as this data can tell."""
    series = [(after.passes, after.metrics.get(name)) for after in evaluation.passes]
    known = [(passes, found) for passes, found in series if found and found.value is not None]
    if len(known) < 2:
        return ()
    most, last = known[-1]
    if last.value is None or last.low is None or last.high is None:
        return ()
    near = _SETTLED * (last.high - last.low)
    far = [passes for passes, found in known if abs((found.value or 0.0) - last.value) > near]
    enough = next(passes for passes, _ in known if passes > max(far, default=0))
    return [f"From {enough:,} passes on, it is as after {most:,}, within a tenth of its interval."]


def _form(name: str) -> Format:
    return percent if name in _AS_PERCENT else plain


def _better(info: MetricInfo) -> str:
    return {"lower": "Lower is better.", "higher": "Higher is better."}.get(info.better, "")


def _forest_figure(evaluation: Evaluation, name: str, info: MetricInfo) -> Figure:
    known = [result for result in evaluation.results if name in result.metrics]
    names = [result.setting.name for result in known]
    heading = Heading(
        f"forest-{name}",
        _capital(info.title),
        f"The {info.title} of {len(known)} settings, each with its confidence interval.",
    )
    as_percent = name in _AS_PERCENT
    shown = evaluation.result() if evaluation.main in names else known[0]
    decimals = decimals_of(shown.metrics[name], percent=as_percent)
    rows = [
        Row(setting, drawn(found), value(found, decimals, percent=as_percent))
        for setting, found in ((r.setting.name, r.metrics[name]) for r in known)
    ]
    main = names.index(evaluation.main) if evaluation.main in names else None
    drawing = forest(heading, rows, main=main, form=_form(name))
    cells = [
        [result.setting.name, interval(result.metrics[name], percent=as_percent)]
        for result in known
    ]
    table = Table(["setting", named(info.title, info.unit)], cells)
    return Figure(heading.title, f"{info.description} {_better(info)}", drawing, table)


def _passes_figure(evaluation: Evaluation, name: str) -> Figure:
    info, off = evaluation.about[name], _deterministic(evaluation)
    known = [after for after in evaluation.passes if name in after.metrics]
    without = off.metrics.get(name) if off else None
    heading = Heading(
        f"passes-{name}",
        f"{_capital(info.title)} by number of passes",
        f"The {info.title} after {known[0].passes:,} to {known[-1].passes:,} passes, with its "
        "confidence interval.",
    )
    drawing = chart.passes(
        heading,
        named(info.title, info.unit),
        [chart.After(after.passes, drawn(after.metrics[name])) for after in known],
        deterministic=without.value if without else None,
        form=_form(name),
    )
    as_percent = name in _AS_PERCENT
    rows = [
        [f"{after.passes:,}", interval(after.metrics[name], percent=as_percent)] for after in known
    ]
    legend = [Line("s1", "mean of the passes, and its interval")]
    if without:
        legend.append(Line("chance", "dropout off", interval(without, percent=as_percent)))
    table = Table(["passes", info.title], rows)
    return Figure(heading.title, _better(info), drawing, table, legend)


def _capital(title: str) -> str:
    return title[:1].upper() + title[1:]
