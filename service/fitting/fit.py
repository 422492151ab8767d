"""Fits the calibration of a model to labeled data."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.calibration.document import (
    CalibrationDocument,
    Metrics,
    ModelReference,
    SamplingReference,
    calibration_of,
)
from service.calibration.fingerprint import fingerprint, row_hashes
from service.core.measures.facts import Facts
from service.draft import draft_of, require_writable
from service.errors import InputError
from service.evaluation.data import Labeled
from service.evaluation.overlap import overlap_warnings
from service.evaluation.runs import Progress, predict_rows
from service.fitting.asked import Asked
from service.fitting.choose import choose
from service.fitting.classification import ClassificationFit, MultilabelFit
from service.fitting.conformal import rows_needed
from service.fitting.masks import masks_of, notes_on_masks
from service.fitting.rate_scale import RateScale, fit_rate_scale, maximum_scale
from service.fitting.reference import reference
from service.fitting.regression import RegressionFit
from service.fitting.seen import Index, Seen, halves, seen
from service.fitting.task import TaskFit
from service.graph.beside import model_sha256
from service.inference.predictor import Predictor
from service.protocol.options import SEED_LIMIT, AskedMeasure, Options

Array = NDArray[Any]

#: By task of the model; data has no targets of another one.
_FITS: Mapping[str, type[TaskFit]] = {
    "classification": ClassificationFit,
    "multilabel_classification": MultilabelFit,
    "regression": RegressionFit,
    "heteroscedastic_regression": RegressionFit,
}
#: Packages whose versions are written down.
_TOOLS = ("mcdropout", "numpy", "scipy")


@dataclass(frozen=True)
class Outcome:
    """What was fitted.

    Attributes:
        path: where it is looked for, beside the model.
        document: to be written there.
        rate_scale: how the rate scale was chosen; None: it was not asked for.
        notes: what to know about it, for people.
    """

    path: Path
    document: CalibrationDocument
    rate_scale: RateScale | None = None
    notes: tuple[str, ...] = ()

    def save(self, path: str | Path | None = None, *, force: bool = False) -> Path:
        """Write the document; the file is whole, or not there.

        Args:
            path: of the file; None: where it is looked for.
            force: replace an existing file.

        Returns:
            The path.

        Raises:
            SetupError: the file is there already and `force` is not set, or it cannot be written.
        """
        to = self.path if path is None else Path(path)
        require_writable(to, force)
        with draft_of(to) as draft:
            draft.write_text(self.document.as_json())
        return to


def fit(
    file: Path, model: Predictor, data: Labeled, asked: Asked, progress: Progress | None = None
) -> Outcome:
    """Fit the calibration of a model.

    The rows are divided into halves at random, always in the same way. The first half chooses the
    rate scale, and the temperature or the noise precision. The second half, which chose none of
    them, chooses the thresholds of sets and intervals, and gives the metrics. The values that
    accept answers are in the same order whatever the temperature or the noise precision, so that
    all rows choose their threshold; if a rate scale was fitted, the second half does.

    Args:
        file: of the model.
        model: the same, without a calibration.
        data: that the model was not trained with.
        asked: what to fit.
        progress: see `Progress`.

    Raises:
        InputError: what is asked for does not suit the model, or there are too few rows.
        FittingError: no threshold reaches the target risk.
    """
    task = _FITS[data.facts.task](data.facts, asked)
    first, second = halves(len(data))
    _require_rows(data, len(second), asked)
    options = replace(asked.options, masks=asked.masks or masks_of(model, asked.options))
    runs = _Runs(model.with_calibration(None), data, options, progress)
    rates = _rate_scale(task, runs, first) if asked.rate_scale else None
    if rates is not None:
        runs = replace(runs, options=replace(runs.options, rate_scale=rates.value))
    scaling = task.scaling(runs.see(task.first_measures, first))
    begun = _begun(file, runs).model_copy(
        update={"temperature": scaling.temperature, "noise_precision": scaling.noise_precision}
    )
    runs = replace(runs, model=model.with_calibration(begun))
    facts = runs.model.terms.of(runs.options).facts_of(data.facts.output)
    certainty = task.certainty(facts)
    measure = asked.measure or certainty
    rows = runs.see(sorted({measure, certainty, *task.first_measures}))
    held = rows.take(second)
    rules = task.rules(held, facts, _bases(task, facts, runs, second))
    whole = begun.model_copy(
        update={
            "sets": rules.sets,
            "intervals": rules.intervals,
            "selection": choose(task, rows if rates is None else held, measure),
            "reference": {name: reference(rows.measures[name]) for name in {measure, certainty}},
            "metrics": Metrics(
                before=task.metrics(held, data.facts),
                after={**task.metrics(held, facts), **rules.metrics},
            ),
        }
    )
    known = overlap_warnings(data.name, row_hashes(data.rows), model)
    notes = (*known, *scaling.notes, *_worse(whole.metrics), *notes_on_masks(model, runs.options))
    return Outcome(calibration_of(file), whole, rates, notes)


@dataclass(frozen=True)
class _Runs:
    """Runs a model on labeled data, always with the same seed.

    Attributes:
        model, data, options, progress: see `fit`.
    """

    model: Predictor
    data: Labeled
    options: Options
    progress: Progress | None

    def see(self, measures: Iterable[AskedMeasure], index: Index | None = None) -> Seen:
        """Predictions of all rows, or of some."""
        some = self.data if index is None else self.data.take(index)
        options = replace(self.options, measures=tuple(measures))
        found = predict_rows(self.model, some.rows, options, progress=self.progress)
        return seen(found[some.facts.output], some.targets, some.facts)


def _worse(metrics: Metrics) -> Iterator[str]:
    """Says if what the first half chose does not suit the second one."""
    before, after = (side.get("nll", 0.0) for side in (metrics.before, metrics.after))
    if after > before:
        yield (
            f"the NLL of the rows that chose nothing is {after:.4g} with the calibration, and "
            f"{before:.4g} without: on these it is no better. More rows fit it more closely."
        )


def _require_rows(data: Labeled, held: int, asked: Asked) -> None:
    """Check that the rows that set thresholds are enough for every coverage."""
    coverage = max(asked.coverages, default=0.5)
    if held < (needed := rows_needed(coverage)):
        raise InputError(
            f"{data.name} has {len(data)} rows, {held} of which set the thresholds of sets and "
            f"intervals. A coverage of {coverage:g} needs {needed} of those: at least "
            f"{2 * needed - 1} rows. Give more data or smaller coverages."
        )


def _rate_scale(task: TaskFit, runs: _Runs, index: Index) -> RateScale:
    def losses(scale: float, number: int) -> Array:
        seed = ((runs.options.seed or 0) + number) % SEED_LIMIT
        scaled = replace(runs, options=replace(runs.options, rate_scale=scale, seed=seed))
        return task.losses(scaled.see(task.first_measures, index))

    rates = [site.rate for site in runs.model.manifest.sites if site.rate is not None]
    if not rates:
        raise InputError("the model has no dropout rates that a rate scale could change.")
    return fit_rate_scale(losses, maximum_scale(np.array(rates)))


def _bases(task: TaskFit, facts: Facts, runs: _Runs, index: Index) -> Mapping[float, Array]:
    """Coverage to the values of `TaskFit.base` of some rows."""
    asked = {c: task.base(c, facts) for c in task.asked.coverages}
    found = {c: runs.see([one], index).measures for c, one in asked.items() if one is not None}
    return {coverage: next(iter(values.values())) for coverage, values in found.items()}


def _begun(file: Path, runs: _Runs) -> CalibrationDocument:
    """A document that says of what it is, and nothing yet that was fitted."""
    manifest, options = runs.model.manifest, runs.options
    return CalibrationDocument(
        model=ModelReference(
            sha256=model_sha256(file),
            task=manifest.task,
            outputs=tuple(spec.name for spec in manifest.outputs),
        ),
        output=runs.data.facts.output,
        data=fingerprint(runs.data.name, row_hashes(runs.data.rows)),
        created=datetime.now(UTC).replace(microsecond=0),
        tools={name: version(name) for name in _TOOLS},
        sampling=SamplingReference(
            passes=options.max_passes(manifest.passes),
            rate_scale=1.0 if options.rate_scale is None else options.rate_scale,
            masks=options.masks,
            sampling=options.sampling,
            sites=None if options.sites is None else tuple(options.sites),
            seed=options.seed or 0,
        ),
    )
