"""Predictions of many rows in memory that does not grow with them, or with the passes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.core.measures import BoundMeasure, Needs, read_measures
from service.core.measures.bound import with_noise
from service.core.summary import constant
from service.errors import InputError
from service.inference.inputs import ReadRows
from service.inference.jobs import SampleJob
from service.inference.looks import Found
from service.inference.options import sampling_of
from service.inference.predictor import Predictor
from service.inference.reduction import reduce_output
from service.inference.runner import row_count
from service.protocol.options import Options
from service.protocol.prediction import OutputPrediction, Prediction

Array = NDArray[Any]
#: Is told how many samples (rows × passes) have run since it was last told.
Progress: TypeAlias = Callable[[int], None]

#: Bytes of what is kept of the rows that run at a time.
MEMORY = 128 << 20
#: Maximum rows that run at a time. Of 32 to 4096 none was faster than the others (`digits`).
_MAX_ROWS = 256
#: Bytes of a kept sample while measures are made of it: float32, float64, and a sorted copy.
_SAMPLE = 24
#: Bytes per element of a row of running sums, of a measure's state or values.
_STATE = 64


@dataclass(frozen=True)
class Part:
    """The prediction of some consecutive rows, after some passes.

    Attributes:
        rows: which.
        prediction: of them; `prediction.passes` says after how many passes.
    """

    rows: slice
    prediction: Prediction


@dataclass(frozen=True)
class _AtPasses:
    """An observer of a job after certain numbers of passes.

    Attributes:
        passes: ascending.
        give: is called with what there is of all rows.
    """

    passes: Sequence[int]
    give: Callable[[Sequence[Found]], None]

    def next_look(self, passes: int) -> int:
        """See `Look`."""
        return next((look for look in self.passes if look > passes), 1 << 62)

    def show(self, passes: int, found: Sequence[Found]) -> None:
        """See `Observer`."""
        self.give(found)


def run_parts(
    model: Predictor,
    rows: ReadRows,
    options: Options,
    *,
    looks: Sequence[int] = (),
    further: Sequence[BoundMeasure] = (),
    progress: Progress | None = None,
    memory: int = MEMORY,
) -> Iterator[Part]:
    """Predict rows part by part; what is not kept of a part is forgotten.

    With the same seed every number is the one that `Predictor.predict` gives for all rows at
    once, for any memory. A measure may keep all samples: those of a part fit into the memory.

    Args:
        model: that predicts.
        rows: of its inputs; B of them.
        options: with a number of passes.
        looks: numbers of passes after which a part is given as well, as if they were all; those
            that are not fewer than the passes are left out.
        further: measures beside those of the options, with names of their own.
        progress: see `Progress`.
        memory: bytes of what is kept of the rows that run at a time.

    Yields:
        For consecutive rows, the prediction at each look in ascending order, then the last.

    Raises:
        InputError: rows or options do not suit the model.
        OutputError: the model answered with NaN or infinity.
    """
    if options.adaptive is not None:
        raise InputError("passes is a stopping rule; give a number of passes.")
    count, start = row_count(rows), 0
    one = model.prepare(_some(rows, slice(0, 1)), options)
    one.measures = (*one.measures, *further)
    options = replace(options, seed=one.draws.seed)
    size = _rows_at_a_time(one, model, memory)
    while start < count:
        part = slice(start, min(start + size, count))
        job = model.prepare(_some(rows, part), options)
        job.measures = one.measures
        # Each row draws what it would draw among all rows.
        job.draws = replace(job.draws, first_row=start)
        job.kept_limit = float("inf")
        for prediction in _run(model, job, looks, progress):
            yield Part(part, prediction)
        start = part.stop


def predict_rows(
    model: Predictor,
    rows: ReadRows,
    options: Options,
    *,
    progress: Progress | None = None,
    memory: int = MEMORY,
) -> Prediction:
    """The same prediction as `Predictor.predict`, in bounded memory beside the answer.

    Args and errors: see `run_parts`.
    """
    parts = [
        part.prediction
        for part in run_parts(model, rows, options, progress=progress, memory=memory)
    ]
    outputs = {name: _joined([part[name] for part in parts]) for name in parts[0]}
    return replace(parts[0], outputs=outputs)


def run_deterministic(
    model: Predictor, rows: ReadRows, *, progress: Progress | None = None
) -> dict[str, Array]:
    """The outputs with dropout off: output name to (B, …).

    Raises:
        InputError: the model has no output with dropout off.
    """
    job = model.prepare_deterministic(rows)
    for step in model.sampler.run([job]):
        if progress is not None:
            progress(step.rows * step.passes)
    return model.outputs(job)


def agreeing(model: Predictor, outputs: Mapping[str, Array], measures: Sequence[str]) -> Prediction:
    """The prediction of passes that all give the same outputs, such as those with dropout off.

    Args:
        model: whose outputs they are.
        outputs: name to (B, …).
        measures: names.
    """
    bound, passes = read_measures(measures, model.terms.plain.facts), 2
    count = len(next(iter(outputs.values())))
    summaries = {
        source: constant(source, y, passes, bound)
        for source, y in with_noise(outputs, bound).items()
    }
    found = Found(np.arange(count), passes, np.ones(count, np.bool_), summaries)
    reduced = {
        name: reduce_output(name, [found], [m for m in bound if m.output == name])
        for name in outputs
    }
    return Prediction(reduced, passes, seed=0)


def _run(
    model: Predictor, job: SampleJob, looks: Sequence[int], progress: Progress | None
) -> Iterator[Prediction]:
    """The prediction of a job at each look, and the last."""
    seen: list[Sequence[Found]] = []
    fewer = [look for look in sorted(looks) if _is_look(look, job)]
    if fewer:
        job.observer = _AtPasses(fewer, seen.append)
    for step in model.sampler.run([job]):
        if progress is not None:
            progress(step.rows * step.passes)
        while seen:
            yield model.prediction(job, seen.pop(0))
    if job.fault is not None:
        raise job.fault
    yield model.prediction(job)


def _is_look(passes: int, job: SampleJob) -> bool:
    """Whether a job of so many passes would have the same samples, and is shorter."""
    sampling = job.draws.sampling
    return passes < job.passes and sampling_of(passes, sampling) == sampling


def _rows_at_a_time(job: SampleJob, model: Predictor, memory: int) -> int:
    elements = sum(prod(n or 1 for n in spec.shape[1:]) for spec in model.manifest.outputs)
    each = _STATE * (2 * elements + sum(_state(m, job.row_samples) for m in job.measures))
    if job.keeps_samples:
        each += _SAMPLE * job.row_samples * elements
    return max(1, min(memory // each, _MAX_ROWS))


def _state(measure: BoundMeasure, samples: int) -> int:
    kept = measure.needs is Needs.SAMPLES
    return 1 if kept else measure.elements(samples)


def _some(rows: ReadRows, index: slice) -> ReadRows:
    return ReadRows({name: x[index] for name, x in rows.items()})


def _joined(parts: Sequence[OutputPrediction]) -> OutputPrediction:
    names = parts[0].measures
    return OutputPrediction(
        np.concatenate([part.mean for part in parts]),
        np.concatenate([part.variance for part in parts]),
        {name: np.concatenate([part.measures[name] for part in parts]) for name in names},
    )
