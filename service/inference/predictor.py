"""A loaded model: validates, samples and reduces. Independent of HTTP."""

import random
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from service.calibration.document import CalibrationDocument
from service.core.measures import BoundMeasure, measures_of, read_measures
from service.core.measures.facts import NO_OFF
from service.core.measures.standard_error import StandardError
from service.core.stopping import read_rule
from service.errors import InputError
from service.graph.artifact import Artifact, read_artifact
from service.inference.answer_bytes import answer_bytes, numbers_of
from service.inference.calibration import (
    NOTHING,
    Calibrating,
    FoundCalibration,
    OnMisfit,
    Terms,
    find_calibration,
)
from service.inference.estimates import Brief, Doubling
from service.inference.inputs import read_inputs
from service.inference.jobs import DeterministicJob, Job, SampleJob
from service.inference.looks import Found, stopped_rows
from service.inference.options import (
    Limits,
    read_options,
    require_draws,
    require_passes,
    require_samples,
    sampling_of,
)
from service.inference.planner import Planned, plan_model
from service.inference.reduction import reduce_output, require_finite
from service.inference.runner import Draws, row_count
from service.inference.sampler import Sampler
from service.inference.speed import learned
from service.inference.verification import Verification
from service.protocol.options import (
    DEFAULT_SAMPLING,
    SEED_LIMIT,
    AskedMeasure,
    AskedPasses,
    Masks,
    Options,
    Sampling,
)
from service.protocol.prediction import Prediction
from service.runtime.engine import CPU, Provider

Array = NDArray[Any]
#: Lists, objects and strings that a request has beside its rows.
_BESIDE_ROWS = 10_000
J = TypeVar("J", bound=Job)

#: Source of random seeds of requests without a seed. Requesting random bytes from the system
#: releases the GIL, which takes long to acquire again under load.
_seeds = random.Random()


class Predictor:
    """A loaded and verified model. Safe to use from several threads.

    Attributes:
        manifest: of the artifact.
        planned: its sampler, and the results of load-time verification.
        calibrating: what there is of a calibration, and where it applies.
        facts: of each output, for the measures.
        sampler: runs its jobs.
    """

    def __init__(
        self,
        artifact: Artifact,
        planned: Planned,
        limits: Limits = Limits(),
        *,
        calibration: FoundCalibration = NOTHING,
        calibrated: bool = True,
    ) -> None:
        self.manifest = artifact.manifest
        self._artifact = artifact
        self.planned = planned
        self.calibrating = Calibrating(artifact, calibration, calibrated)
        self.facts = self.calibrating.facts
        self._has_off = artifact.has_off
        self.sampler: Sampler = planned.sampler
        self._limits = limits
        self._output_names = [spec.name for spec in artifact.manifest.outputs]

    @property
    def verification(self) -> Verification:
        """Results of load-time verification."""
        return self.planned.verification

    @property
    def proof(self) -> Verification:
        """Former name of `verification`."""
        return self.verification

    @property
    def calibration(self) -> FoundCalibration:
        """What there is of a calibration."""
        return self.calibrating.found

    @property
    def providers(self) -> tuple[str, ...]:
        """Execution providers of ONNX Runtime that run the model, the preferred one first."""
        return self.sampler.runner.providers

    @cached_property
    def max_parts(self) -> int | None:
        """Maximum lists, objects (counted twice) and strings in a JSON body; None: no limit."""
        specs, rows = self.manifest.inputs, self._limits.rows
        if rows is None or any(s.dtype == "string" or None in s.shape[1:] for s in specs):
            return None
        lists = sum(numbers_of(s.shape[:axis]) for s in specs for axis in range(1, len(s.shape)))
        # Each row may be an object of its inputs by name.
        return rows * (lists + 2 + len(specs)) + _BESIDE_ROWS

    @cached_property
    def measures(self) -> tuple[BoundMeasure, ...]:
        """All measures that its outputs have, with their default arguments."""
        return read_measures(measures_of(self.facts), self.facts)

    def with_calibration(self, document: CalibrationDocument | None) -> "Predictor":
        """The same model with another calibration that fits it, or without any."""
        found = FoundCalibration(document)
        return Predictor(self._artifact, self.planned, self._limits, calibration=found)

    def predict(
        self,
        x: Any,
        passes: AskedPasses | None = None,
        seed: int | None = None,
        measures: Sequence[AskedMeasure] | None = None,
        *,
        masks: Masks = "shared",
        sampling: Sampling = DEFAULT_SAMPLING,
        inner: int = 1,
        rate_scale: float | None = None,
        sites: Sequence[str] | None = None,
        calibrated: bool | None = None,
    ) -> Prediction:
        """Run stochastic passes and reduce them.

        Args:
            x: (B, …) array or nested lists, or {input name: rows}.
            passes, seed, measures, masks, sampling, inner, rate_scale, sites, calibrated: see
                `Options`.

        Raises:
            InputError: with what is wrong, where, and what would be right.
            OutputError: the model answered with NaN or infinity.
        """
        options = read_options(
            passes=passes,
            seed=seed,
            measures=measures,
            masks=masks,
            sampling=sampling,
            inner=inner,
            rate_scale=rate_scale,
            sites=sites,
            calibrated=calibrated,
        )
        return self.prediction(self._run(self.prepare(x, options)))

    def stream(
        self,
        x: Any,
        passes: AskedPasses | None = None,
        seed: int | None = None,
        measures: Sequence[AskedMeasure] | None = None,
        *,
        masks: Masks = "shared",
        sampling: Sampling = DEFAULT_SAMPLING,
        inner: int = 1,
        rate_scale: float | None = None,
        sites: Sequence[str] | None = None,
        calibrated: bool | None = None,
    ) -> Iterator[Prediction]:
        """Running estimates while the passes run, and the answer last.

        Each is the prediction of the first 32, 64, 128 … passes, the same bit for bit as
        `predict` gives with so many; `final` is whether it is the answer. Passes run while the
        next is asked for: whoever stops asking stops the work.

        Args and errors: see `predict`. The arguments are checked at once.
        """
        options = read_options(
            passes=passes,
            seed=seed,
            measures=measures,
            masks=masks,
            sampling=sampling,
            inner=inner,
            rate_scale=rate_scale,
            sites=sites,
            calibrated=calibrated,
        )
        return self._stream(self.prepare(x, options))

    def predict_deterministic(self, x: Any) -> dict[str, Array]:
        """The inference output of the Keras model, with dropout off: output name to (B, …)."""
        return self.outputs(self._run(self.prepare_deterministic(x)))

    def prepare(self, x: Any, options: Options = Options()) -> SampleJob:
        """Validate a request and make a job of it for a sampler.

        Args:
            x: see `predict`.
            options: see `Options`.

        Raises:
            InputError: with what is wrong, where, and what would be right.
        """
        passes = options.max_passes(self.manifest.passes)
        seed = _seeds.randrange(SEED_LIMIT) if options.seed is None else options.seed
        require_passes(passes, self._limits.passes)
        asked = options.adaptive
        terms = self.calibrating.terms(options)
        rule = None if asked is None else read_rule(asked, terms.facts, options.inner)
        measures = self._measures(options, terms)
        sampling = sampling_of(passes, options.sampling)
        scale, sites = terms.rate_scale_of(options), terms.sites_of(options)
        draws = Draws(seed, options.masks, scale, sites, sampling, options.inner)
        require_draws(draws, self.sampler.plan)
        rows = read_inputs(x, self.manifest.inputs)
        require_samples(row_count(rows), passes, self._limits, options.inner)
        return SampleJob(rows, passes, draws, measures, kept_limit=self._limits.memory, rule=rule)

    def measure_names(self, options: Options) -> list[str]:
        """Names of the measures of a request, as in its answer.

        Raises:
            InputError: no output has one of them, or the request cannot be calibrated.
        """
        measures = self._measures(options, self.calibrating.terms(options))
        return list(dict.fromkeys(measure.name for measure in measures))

    def _measures(self, options: Options, terms: Terms) -> tuple[BoundMeasure, ...]:
        """Those of a request; with a stopping rule also the standard error reached."""
        measures = terms.asked(options)
        if options.adaptive is None:
            return measures
        reached = read_measures([StandardError.name], terms.facts)
        return tuple(dict.fromkeys([*measures, *reached]))

    def prepare_deterministic(self, x: Any) -> DeterministicJob:
        """The same, for one pass with dropout off."""
        if not self._has_off:
            raise InputError(f"{NO_OFF}. Request passes.")
        rows = read_inputs(x, self.manifest.inputs)
        require_samples(row_count(rows), 1, self._limits)
        return DeterministicJob(rows)

    def prediction(self, job: SampleJob, found: Sequence[Found] | None = None) -> Prediction:
        """Reduce the samples of a finished job, or what an observer was shown of it.

        Raises:
            OutputError: the model answered with NaN or infinity.
        """
        parts = job.found if found is None else found
        outputs = {
            name: reduce_output(name, parts, [m for m in job.measures if m.output == name])
            for name in self._output_names
        }
        passes = max(part.passes for part in parts)
        stopped = None if job.rule is None else stopped_rows(parts)
        seed, final = job.draws.seed, found is None
        return Prediction(outputs, passes, seed, stopped=stopped, final=final)

    def bytes_of(self, job: Job) -> int:
        """Approximate bytes of a job's rows and answer until the client has read it."""
        return answer_bytes(job, self.manifest, self.sampler.tuning.max_samples)

    def outputs(self, job: DeterministicJob) -> dict[str, Array]:
        """The outputs of a finished job with dropout off: output name to (B, …).

        Raises:
            OutputError: the model answered with NaN or infinity.
        """
        outputs = job.outputs()
        for name, y in outputs.items():
            require_finite(f"output {name!r}", y)
        return {name: outputs[name] for name in self._output_names}

    def _stream(self, job: SampleJob) -> Iterator[Prediction]:
        estimates = deque[Sequence[Found]]()
        job.observer = Doubling(estimates.append)
        speed = self.sampler.speed
        for _ in learned(self.sampler.run([job], Brief(speed)), speed):
            while estimates:
                yield self.prediction(job, estimates.popleft())
        if job.fault is not None:
            raise job.fault
        yield self.prediction(job)

    def _run(self, job: J) -> J:
        for _ in self.sampler.run([job]):
            pass
        if job.fault is not None:
            raise job.fault
        return job


def load_model(
    path: str | Path,
    providers: Sequence[Provider] = (CPU,),
    limits: Limits = Limits(),
    *,
    activate_dropout: bool = False,
    max_bytes: int | None = None,
    on_misfit: OnMisfit = "refuse",
    calibrated: bool = True,
) -> Predictor:
    """Load a model and verify that its uncertainty is correct.

    A `calibration.json` beside the file is read, and applied to requests.

    Args:
        path: of `model.onnx`: an artifact of our exporter, or any ONNX file with dropout.
        providers: ONNX Runtime execution providers, the preferred one first.
        limits: of each request.
        activate_dropout: activate dropout that the file keeps off.
        max_bytes: maximum size of the file, including data files with its weights.
        on_misfit: "ignore": a calibration that is not of this model is not applied.
        calibrated: default of `Options.calibrated`.

    Raises:
        ArtifactError: the file is not a readable, complete model with dropout, or its calibration
            does not fit it.
        ProofError: it failed load-time verification.
        ModelError: there is too little memory for it, or ONNX Runtime cannot run it.
        SetupError: a provider cannot run here.
    """
    artifact = read_artifact(path, activate_dropout, max_bytes)
    planned = plan_model(artifact, providers, limits.memory)
    calibration = find_calibration(artifact, planned.sampler.plan, on_misfit)
    return Predictor(artifact, planned, limits, calibration=calibration, calibrated=calibrated)
