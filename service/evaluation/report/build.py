"""The page of an evaluation: what each topic says of it, and where it comes from."""

from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import TypeVar

from service.evaluation.document import DataInfo, Evaluation, Setting
from service.evaluation.report.numbers import interval
from service.evaluation.report.topics import (
    accepted,
    errors,
    foreign,
    intervals,
    passes,
    probabilities,
    sets,
    settings,
)
from service.evaluation.report.view import Page

_Part = TypeVar("_Part")


def page_of(evaluation: Evaluation) -> Page:
    """The whole report."""
    answers = (
        errors.answer(evaluation),
        probabilities.answer(evaluation),
        intervals.answer(evaluation),
        sets.answer(evaluation),
        accepted.answer(evaluation),
        foreign.answer(evaluation),
        passes.answer(evaluation),
        settings.answer(evaluation),
    )
    sections = (
        errors.section(evaluation),
        probabilities.section(evaluation),
        intervals.section(evaluation),
        sets.section(evaluation),
        accepted.section(evaluation),
        foreign.section(evaluation),
        passes.section(evaluation),
        settings.section(evaluation),
    )
    return Page(
        title=f"Can the uncertainty of {_short(evaluation.model.name)} be trusted?",
        origin=_origin(evaluation),
        lead=_lead(evaluation),
        answers=_given(answers),
        sections=_given(sections),
        facts=_facts(evaluation),
        command=evaluation.command,
        warnings=evaluation.warnings,
    )


def _given(parts: Iterable[_Part | None]) -> Sequence[_Part]:
    return [part for part in parts if part is not None]


def _short(name: str) -> str:
    """The model of a file name/version/model.onnx, or the name of another file."""
    path = PurePath(name)
    folders = path.parts[:-1]
    return folders[-2] if path.name == "model.onnx" and len(folders) > 1 else path.name


def _origin(evaluation: Evaluation) -> str:
    task = evaluation.model.task.replace("_", " ")
    made = f"{evaluation.created:%d %B %Y}".lstrip("0")
    return f"Evaluation of a {task} on {evaluation.data.rows:,} rows · {made}"


def _lead(evaluation: Evaluation) -> str:
    """How good the predictions are: one sentence, with what the interval is."""
    metrics = evaluation.result().metrics
    confidence = f"{100 * evaluation.bootstrap.confidence:g}\u00a0% confidence intervals"
    where = f"of {evaluation.data.name} ({evaluation.data.rows:,} rows)"
    if "accuracy" in metrics:
        said = f"{interval(metrics['accuracy'], percent=True)} of the answers {where} are right"
    else:
        rmse = interval(metrics["rmse"])
        said = f"The root mean square error {where} is {rmse}, in the unit of the output"
    return f"{said}. In parentheses, here and below: {confidence}. Setting: {evaluation.main}."


def _facts(evaluation: Evaluation) -> Sequence[tuple[str, str]]:
    model, timing, bootstrap = evaluation.model, evaluation.timing, evaluation.bootstrap
    facts = [
        ("Model", model.name),
        ("SHA-256 of the model", model.sha256),
        ("Output", model.output),
        ("Data", _data(evaluation.data)),
    ]
    if evaluation.other is not None:
        facts.append(("Other data", _data(evaluation.other)))
    facts += [
        ("Seed of the passes", str(evaluation.seed)),
        ("Setting of this report", _setting(evaluation.result().setting)),
        (
            "Confidence intervals",
            f"{bootstrap.resamples:,} bootstrap resamples of the rows, at "
            f"{100 * bootstrap.confidence:g}\u00a0%, seed {bootstrap.seed}",
        ),
        (
            "Time",
            f"{timing.total:.3g} s: {timing.passes:.3g} s for {timing.samples:,} passes of a row, "
            f"{timing.metrics:.3g} s for metrics, {timing.bootstrap:.3g} s for intervals",
        ),
        ("Created", f"{evaluation.created:%Y-%m-%d %H:%M %Z}"),
        ("Versions", ", ".join(f"{name} {found}" for name, found in evaluation.tools.items())),
    ]
    return facts


def _data(data: DataInfo) -> str:
    fingerprint = f", fingerprint {data.sha256}" if data.sha256 else ""
    return f"{data.name}, {data.rows:,} rows{fingerprint}"


def _setting(setting: Setting) -> str:
    details = {
        "passes": setting.passes,
        "rate scale": None if setting.rate_scale is None else f"{setting.rate_scale:g}",
        "masks": setting.masks,
        "sampling": setting.sampling,
    }
    said = ", ".join(f"{name} {found}" for name, found in details.items() if found is not None)
    return f"{setting.name} ({said})" if said else setting.name
