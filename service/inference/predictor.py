"""A loaded model: validates, samples and reduces. Independent of HTTP."""

import random
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, TypeVar

from numpy.typing import NDArray

from service.calibration.document import CalibrationDocument
from service.core.measures import BoundMeasure
from service.core.measures.facts import NO_OFF
from service.errors import InputError
from service.graph.artifact import Artifact
from service.inference.answer_bytes import answer_bytes
from service.inference.calibration import NOTHING, FoundCalibration
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
)
from service.inference.planner import Planned
from service.inference.reduction import reduce_output, require_finite
from service.inference.runner import row_count
from service.inference.sampler import Sampler
from service.inference.speed import learned
from service.inference.terms import ModelTerms
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

Array = NDArray[Any]
J = TypeVar("J", bound=Job)

#: Source of random seeds of requests without a seed. Requesting random bytes from the system
#: releases the GIL, which takes long to acquire again under load.
_seeds = random.Random()


class Predictor:
    """A loaded and verified model. Safe to use from several threads.

    Attributes:
        manifest: of the artifact.
        planned: its sampler, and the results of load-time verification.
        calibration: what there is of a calibration.
        terms: on which it answers: plain, or calibrated.
        sampler: runs its jobs.
        limits: of each request.
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
        self.calibration = calibration
        self.terms = ModelTerms(artifact, calibration, calibrated)
        self.sampler: Sampler = planned.sampler
        self.limits = limits
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
    def providers(self) -> tuple[str, ...]:
        """Execution providers of ONNX Runtime that run the model, the preferred one first."""
        return self.sampler.runner.providers

    @cached_property
    def measures(self) -> tuple[BoundMeasure, ...]:
        """All measures that its outputs have, with their default arguments."""
        return self.terms.widest.all_measures()

    def with_calibration(self, document: CalibrationDocument | None) -> "Predictor":
        """The same model with another calibration that fits it, or without any."""
        found = FoundCalibration(document)
        return Predictor(self._artifact, self.planned, self.limits, calibration=found)

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
        terms = self.terms.of(options)
        passes = options.max_passes(terms.passes)
        seed = _seeds.randrange(SEED_LIMIT) if options.seed is None else options.seed
        require_passes(passes, self.limits.passes)
        rule, measures = terms.rule_of(options), terms.measures_of(options)
        draws = terms.draws_of(options, passes, seed)
        require_draws(draws, self.sampler.plan)
        rows = read_inputs(x, self.manifest.inputs)
        require_samples(row_count(rows), passes, self.limits, options.inner)
        return SampleJob(rows, passes, draws, measures, kept_limit=self.limits.memory, rule=rule)

    def measure_names(self, options: Options) -> list[str]:
        """Names of the measures of a request, as in its answer.

        Raises:
            InputError: no output has one of them, or the request cannot be calibrated.
        """
        measures = self.terms.of(options).measures_of(options)
        return list(dict.fromkeys(measure.name for measure in measures))

    def prepare_deterministic(self, x: Any) -> DeterministicJob:
        """The same, for one pass with dropout off."""
        if not self._artifact.has_off:
            raise InputError(f"{NO_OFF}. Request passes.")
        rows = read_inputs(x, self.manifest.inputs)
        require_samples(row_count(rows), 1, self.limits)
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
