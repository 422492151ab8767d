"""Does dropout at prediction time help, and how many passes does it take?"""

from collections.abc import Sequence

from service.evaluation.document import Evaluation
from service.evaluation.report.charts import passes as chart
from service.evaluation.report.charts.drawing import Heading
from service.evaluation.report.numbers import drawn, interval, named
from service.evaluation.report.topics import comparison as of
from service.evaluation.report.view import Answer, Figure, Line, Section, Table, Tone

QUESTION = "Do the passes help?"
#: A metric has settled where it is this near to the last one, as a share of its interval.
_SETTLED = 0.1


def answer(evaluation: Evaluation) -> Answer | None:
    """Whether the network without dropout differs from the main setting."""
    main, off = evaluation.result(), of.deterministic(evaluation)
    if off is None:
        return None
    name = of.score_of(main, off)
    if name is None:
        return None
    ours, theirs = interval(main.metrics[name]), interval(off.metrics[name])
    sentences = [
        f"The {of.SCORES[name]} is {ours} for {main.setting.name}, and {theirs} with dropout off; "
        "lower is better."
    ]
    difference = off.differences.get(name)
    if difference is not None and difference.value is not None:
        sentences.append(
            f"The difference on the same rows, dropout off minus passes, is {interval(difference)}."
        )
    said, tone = _said(of.verdict(difference, evaluation.about[name]))
    return Answer(QUESTION, said, tone, [*sentences, *_settled(evaluation, name)])


def section(evaluation: Evaluation) -> Section | None:
    """Scores over the number of passes."""
    series = evaluation.passes
    if len(series) < 2:
        return None
    names = [name for name in (*of.SCORES, "accuracy") if name in series[0].metrics]
    lead = (
        "More passes make the estimate more precise, not the model better. Where the line is flat, "
        "further passes only cost time.",
    )
    figures = [_passes_figure(evaluation, name) for name in names]
    return Section("passes", "How many passes?", lead, figures)


def _said(verdict: str) -> tuple[str, Tone]:
    """Of the main setting, from the verdict on the network without dropout."""
    if verdict == of.WORSE:
        return "Yes", "yes"
    return ("No", "no") if verdict == of.BETTER else ("Not shown by this data", "open")


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


def _passes_figure(evaluation: Evaluation, name: str) -> Figure:
    info, off = evaluation.about[name], of.deterministic(evaluation)
    known = [after for after in evaluation.passes if name in after.metrics]
    without = off.metrics.get(name) if off else None
    heading = Heading(
        f"passes-{name}",
        f"{of.capital(info.title)} by number of passes",
        f"The {info.title} after {known[0].passes:,} to {known[-1].passes:,} passes, with its "
        "confidence interval.",
    )
    drawing = chart.passes(
        heading,
        named(info.title, info.unit),
        [chart.After(after.passes, drawn(after.metrics[name])) for after in known],
        deterministic=without.value if without else None,
        form=of.form_of(name),
    )
    as_percent = of.is_percentage(name)
    rows = [
        [f"{after.passes:,}", interval(after.metrics[name], percent=as_percent)] for after in known
    ]
    legend = [Line("s1", "mean of the passes, and its interval")]
    if without:
        legend.append(Line("chance", "dropout off", interval(without, percent=as_percent)))
    table = Table(["passes", info.title], rows)
    return Figure(heading.title, of.direction(info), drawing, table, legend)
