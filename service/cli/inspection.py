"""The contents of a model file, its plan and its verification, as tables or JSON."""

import json
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from service.calibration.document import CalibrationDocument
from service.inference.inner_masks import InnerMasks
from service.inference.predictor import Predictor
from service.manifest import Manifest, TensorSpec

#: Maximum number of labels that a table shows.
_MAX_LABELS = 20


def as_json(model: Predictor) -> str:
    """Manifest, plan and verification results as JSON."""
    calibration = model.terms.summary
    parts: dict[str, Any] = {
        "manifest": model.manifest,
        **({} if calibration is None else {"calibration": calibration}),
        "plan": model.planned.report,
        "proof": model.verification,
    }
    return json.dumps(
        {name: part.model_dump(mode="json") for name, part in parts.items()}, indent=2
    )


def as_tables(model: Predictor) -> list[Table]:
    """The same as tables, without details for programs."""
    document = model.calibration.document
    return [
        description(model.manifest),
        *([] if document is None else [_calibration(document)]),
        *(_tensors(model), _sites(model), _plan(model)),
    ]


def description(manifest: Manifest) -> Table:
    """What the outputs of a model mean."""
    noise = manifest.noise
    facts = {
        "task": manifest.task,
        "labels": _shortened(manifest.labels or ()),
        "link": ", ".join(f"{s.name}: {s.link}" for s in manifest.outputs if s.link != "identity"),
        "noise": f"{noise.form} in {noise.noise}, of the mean in {noise.mean}" if noise else "",
        "noise precision": _number(manifest.noise_precision, "{:g}", ""),
        "default measures": ", ".join(manifest.measures),
        "default passes": f"{manifest.passes}",
    }
    table = _table("description", "", "")
    for name, value in facts.items():
        if value:
            table.add_row(name, value)
    return table


def _calibration(document: CalibrationDocument) -> Table:
    chosen, data = document.selection, document.data
    table = _table("calibration", "", "")
    table.add_row("of", f"{data.rows} rows of {data.name}, {document.created:%Y-%m-%d}")
    table.add_row("rate scale", f"{document.sampling.rate_scale:g}")
    facts = {
        "temperature": _number(document.temperature, "{:.4g}", ""),
        "noise precision": _number(document.noise_precision, "{:.4g}", ""),
        "sets": ", ".join(f"{one.method} {one.coverage:g}" for one in document.sets),
        "intervals": ", ".join(f"{one.method} {one.coverage:g}" for one in document.intervals),
    }
    if chosen is not None:
        side = chosen.keep.replace("_", " ")
        facts["accepted"] = f"{chosen.measure} {side} {chosen.threshold:.4g}: {chosen.guarantee}"
    for name in (name for name, value in facts.items() if value):
        table.add_row(name, facts[name])
    return table


def _shortened(labels: Sequence[str]) -> str:
    more = len(labels) - _MAX_LABELS
    return ", ".join(labels[:_MAX_LABELS]) + (f", and {more} more" if more > 0 else "")


def _tensors(model: Predictor) -> Table:
    table = _table("inputs and outputs", "", "name", "dtype", "shape")
    for role, specs in (("input", model.manifest.inputs), ("output", model.manifest.outputs)):
        for spec in specs:
            table.add_row(role, spec.name, spec.dtype, _shape(spec))
    return table


def _shape(spec: TensorSpec) -> str:
    sizes = ["rows", *("any" if size is None else str(size) for size in spec.shape[1:])]
    return " × ".join(sizes)


def _sites(model: Predictor) -> Table:
    table = _table("sites", "name", "kind", "rate", "observed", "largest effect")
    verification = model.verification
    for site in model.manifest.sites:
        rate = "" if site.rate is None else f"{site.rate:g}"
        observed = f"{verification.drop_rates[site.name]:.4f}" if site.rate is not None else ""
        effect = f"{verification.site_effects[site.name]:.3g}"
        table.add_row(site.name, site.kind, rate, observed, effect)
    return table


def _plan(model: Predictor) -> Table:
    report, verification = model.planned.report, model.verification
    passes = model.manifest.passes
    facts = {
        "layout": report.layout.value,
        **{f"not {layout.value}": reason for layout, reason in report.rejected.items()},
        "split at": ", ".join(report.frontier),
        "share of the work before the first site": _number(report.trunk_share, "{:.1%}"),
        f"maximum speed-up of the split, {passes} passes": _number(
            report.speedup_limit, "{:.2f} ×"
        ),
        "time relative to no dropout, 1 row": _number(report.floor_ratio, "{:.2f} ×"),
        "site of inner masks": "none" if report.inner is None else report.inner.site,
        "suggested inner masks": _suggested(report.inner),
        "samples (rows × passes) at a time": f"{report.samples_per_chunk}",
        "dropout that stays off": ", ".join([*model.manifest.kept_off, *report.dead]) or "none",
        "difference with dropout off": _number(verification.off_difference, "{:.1e}"),
        "runs on": model.providers[0].removesuffix("ExecutionProvider"),
    }
    table = _table("plan and verification", "", "")
    for name, value in facts.items():
        table.add_row(name, value)
    return table


def _suggested(inner: InnerMasks | None) -> str:
    if inner is None or inner.suggested == 1:
        return "1"
    return f"{inner.suggested}: same error of a mean in 1/{inner.gain:.1f} of the time"


def _number(value: float | None, form: str, unknown: str = "unknown") -> str:
    return unknown if value is None else form.format(value)


def _table(title: str, *columns: str) -> Table:
    # A site's name is copied into requests: it may wrap, and is never cut.
    table = Table(title=title, title_justify="left", show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
