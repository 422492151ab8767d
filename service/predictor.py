"""A model ready to answer: validate, sample, measure. Knows no HTTP."""

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from service.core.summary import CLASSIFICATION_MEASURES, NEEDS_ENTROPY, Summary
from service.engine import CPU, Provider
from service.errors import InputError, OutputError
from service.graph.artifact import Artifact, read_artifact
from service.inputs import Where, read_inputs
from service.options import require_draws
from service.planner import Planned, plan_model
from service.proof import Proof
from service.runner import Draws

Array = NDArray[Any]

#: JSON numbers are exact up to here in every client, and a seed travels as one.
SEED_LIMIT = 1 << 53


@dataclass(frozen=True)
class OutputPrediction:
    """What the passes say of one output.

    Attributes:
        mean: (B, …) float64, mean over passes.
        variance: (B, …) float64, unbiased sample variance over passes.
        measures: name to (B, …) float64, as asked for.
    """

    mean: Array
    variance: Array
    measures: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Prediction(Mapping[str, OutputPrediction]):
    """Output name to prediction. With one output, `mean` and `variance` are its own."""

    outputs: Mapping[str, OutputPrediction]
    passes: int
    seed: int

    def __getitem__(self, name: str) -> OutputPrediction:
        return self.outputs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.outputs)

    @property
    def mean(self) -> Array:
        """(B, …) float64, of the only output."""
        return self._only().mean

    @property
    def variance(self) -> Array:
        """(B, …) float64, of the only output."""
        return self._only().variance

    @property
    def measures(self) -> Mapping[str, Array]:
        """Measures of the only output."""
        return self._only().measures

    def _only(self) -> OutputPrediction:
        if len(self.outputs) > 1:
            raise AttributeError(
                f"the model has several outputs; name one: prediction[{next(iter(self))!r}].mean "
                f"(there are {list(self)})."
            )
        return next(iter(self.outputs.values()))


@dataclass(frozen=True)
class Limits:
    """The most that one request may ask for and take; None is no limit.

    Attributes:
        passes: number of passes.
        samples: rows × passes, which is what a call's time grows with.
        memory: bytes that the passes of a call take at a time; more of them go in chunks.
    """

    passes: int | None = None
    samples: int | None = None
    memory: int = 512 << 20


class Predictor:
    """One artifact, proved alive. Safe to use from several threads.

    Attributes:
        manifest: what the artifact says about itself.
        planned: how it is sampled, and what was seen when it was loaded.
    """

    def __init__(self, artifact: Artifact, planned: Planned, limits: Limits = Limits()) -> None:
        self.manifest = artifact.manifest
        self.planned = planned
        self._has_off = artifact.has_off
        self._sampler = planned.sampler
        self._limits = limits
        self._output_names = [spec.name for spec in artifact.manifest.outputs]

    @property
    def proof(self) -> Proof:
        """What was seen when it was loaded."""
        return self.planned.proof

    @property
    def providers(self) -> tuple[str, ...]:
        """ONNX Runtime's execution providers that run the model, the preferred one first."""
        return self._sampler.runner.providers

    def predict(
        self,
        x: Any,
        passes: int | None = None,
        seed: int | None = None,
        measures: Sequence[str] = (),
        *,
        masks: Literal["shared", "per_row"] = "shared",
        rate_scale: float = 1.0,
        sites: Sequence[str] | None = None,
        cancelled: threading.Event | None = None,
        root: str = "x",
        where: Callable[[str], Where] | None = None,
    ) -> Prediction:
        """Run stochastic passes and reduce them.

        Args:
            x: (B, …) array or nested lists, or {input name: rows}.
            passes: P, at least 2; by default the manifest's.
            seed: 0 ≤ seed < 2**53. The same seed gives the same answer. By
                default a random one, which the result names.
            measures: of `CLASSIFICATION_MEASURES`, for a classification model.
            masks: "shared": a pass is one thinned network, for all rows. "per_row":
                each row of a pass has masks of its own, as in Keras'
                `model(x, training=True)`.
            rate_scale: what every drop rate is multiplied by; none may exceed 1.
            sites: names of the sites that draw, the others being off; by default all.
            cancelled: when it is set, the passes stop at the next chunk.
            root: what to call `x` in messages.
            where: see `read_inputs`.

        Raises:
            InputError: naming what is wrong, where, and what would be right.
            OutputError: the model answered with NaN or infinity.
            CancelledError: it was cancelled.
        """
        passes = self.manifest.passes if passes is None else passes
        seed = secrets.randbelow(SEED_LIMIT) if seed is None else seed
        self._require_options(passes, seed, measures)
        draws = Draws(seed, masks, rate_scale, None if sites is None else frozenset(sites))
        require_draws(draws, self._sampler.plan)
        rows = read_inputs(x, self.manifest.inputs, root, where)
        self._require_samples(len(next(iter(rows.values()))), passes)
        with_entropy = not NEEDS_ENTROPY.isdisjoint(measures)
        summaries = self._sampler.summarise(rows, passes, draws, with_entropy, cancelled)
        return Prediction(
            {name: _reduce(name, summaries[name], measures) for name in self._output_names},
            passes,
            seed,
        )

    def predict_deterministic(
        self, x: Any, *, root: str = "x", where: Callable[[str], Where] | None = None
    ) -> dict[str, Array]:
        """The Keras model's own inference output, with dropout off: output name to (B, …)."""
        if not self._has_off:
            raise InputError(
                "this model has no output without its random numbers: they are part of its file, "
                "which has no switch for them. Ask for passes."
            )
        rows = read_inputs(x, self.manifest.inputs, root, where)
        outputs = self._sampler.deterministic(rows)
        for name, y in outputs.items():
            _require_finite(name, y)
        return {name: outputs[name] for name in self._output_names}

    def _require_options(self, passes: int, seed: int, measures: Sequence[str]) -> None:
        if passes < 2:
            raise InputError(
                f"passes is {passes}; a variance needs at least 2. For the answer without "
                'dropout send "training": false.'
            )
        if self._limits.passes is not None and passes > self._limits.passes:
            raise InputError(
                f"passes is {passes}; this server allows at most {self._limits.passes}."
            )
        if not 0 <= seed < SEED_LIMIT:
            raise InputError(f"seed is {seed}; it must be from 0 to {SEED_LIMIT - 1}.")
        known = list(CLASSIFICATION_MEASURES) if self.manifest.task == "classification" else []
        unknown = [name for name in measures if name not in known]
        if unknown:
            raise InputError(
                f"measures names {unknown}; for a model of task {self.manifest.task!r} there "
                f"{'are ' + str(known) if known else 'is none beside mean and variance'}."
            )

    def _require_samples(self, rows: int, passes: int) -> None:
        limit = self._limits.samples
        if limit is not None and rows * passes > limit:
            raise InputError(
                f"{rows} rows × {passes} passes are {rows * passes} samples; this server allows "
                f"at most {limit} in a request. Send fewer rows or passes at a time."
            )


def _reduce(name: str, summary: Summary, measures: Sequence[str]) -> OutputPrediction:
    mean, variance = summary.moments.mean, summary.moments.variance
    # A sample that is no number leaves a mean that is none.
    _require_finite(name, mean + variance)
    return OutputPrediction(
        mean, variance, {key: CLASSIFICATION_MEASURES[key](summary) for key in measures}
    )


def _require_finite(name: str, values: Array) -> None:
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise OutputError(
            f"the model answered row {row} with NaN or infinity in output {name!r}. Check that the "
            "row lies in the range that the model was trained on."
        )


def load_model(
    path: str | Path,
    providers: Sequence[Provider] = (CPU,),
    limits: Limits = Limits(),
    *,
    activate_dropout: bool = False,
) -> Predictor:
    """Load a model and prove that its uncertainty is alive.

    Args:
        path: of `model.onnx`: an artifact of our exporter, or any ONNX file with dropout.
        providers: ONNX Runtime execution providers, the preferred one first.
        limits: of each request.
        activate_dropout: turn on the dropouts that the file has and keeps off.

    Raises:
        ArtifactError: the file is not a readable, complete model with dropout.
        ProofError: it loaded, but a claim of the proof does not hold.
        SetupError: a provider cannot run here.
    """
    artifact = read_artifact(path, activate_dropout)
    return Predictor(artifact, plan_model(artifact, providers, limits.memory), limits)
