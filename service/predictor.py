"""A model ready to answer: validate, sample, measure. Knows no HTTP."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.measures import CLASSIFICATION_MEASURES
from service.core.moments import moments
from service.engine import CPU
from service.errors import InputError, OutputError
from service.graph.artifact import read_artifact
from service.graph.plan import compile_plan
from service.inputs import Where, read_inputs
from service.manifest import Manifest
from service.proof import Proof, prove
from service.sampler import Sampler

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
    """The most that one request may ask for; None is no limit.

    Attributes:
        passes: number of passes.
        samples: rows × passes, which is what a call's time and memory grow with.
    """

    passes: int | None = None
    samples: int | None = None


class Predictor:
    """One artifact, proved alive. Safe to use from several threads.

    Attributes:
        manifest: what the artifact says about itself.
        proof: what was seen when it was loaded.
    """

    def __init__(
        self, manifest: Manifest, sampler: Sampler, proof: Proof, limits: Limits = Limits()
    ) -> None:
        self.manifest = manifest
        self.proof = proof
        self._sampler = sampler
        self._limits = limits

    @property
    def providers(self) -> tuple[str, ...]:
        """ONNX Runtime's execution providers that run the model, the preferred one first."""
        return self._sampler.providers

    def predict(
        self,
        x: Any,
        passes: int | None = None,
        seed: int | None = None,
        measures: Sequence[str] = (),
        *,
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
            root: what to call `x` in messages.
            where: see `read_inputs`.

        Raises:
            InputError: naming what is wrong, where, and what would be right.
            OutputError: the model answered with NaN or infinity.
        """
        passes = self.manifest.passes if passes is None else passes
        seed = secrets.randbelow(SEED_LIMIT) if seed is None else seed
        self._require_options(passes, seed, measures)
        rows = read_inputs(x, self.manifest.inputs, root, where)
        self._require_samples(len(next(iter(rows.values()))), passes)
        samples = self._sampler.sample(rows, passes, seed)
        return Prediction(
            {name: self._reduce(name, y, measures) for name, y in samples.items()}, passes, seed
        )

    def predict_deterministic(
        self, x: Any, *, root: str = "x", where: Callable[[str], Where] | None = None
    ) -> dict[str, Array]:
        """The Keras model's own inference output, with dropout off: output name to (B, …)."""
        rows = read_inputs(x, self.manifest.inputs, root, where)
        outputs = self._sampler.deterministic(rows)
        for name, y in outputs.items():
            _require_finite(name, y)
        return outputs

    def _reduce(self, name: str, samples: Array, measures: Sequence[str]) -> OutputPrediction:
        _require_finite(name, samples)
        reduced = moments(samples, axis=1)
        return OutputPrediction(
            mean=reduced.mean,
            variance=reduced.variance,
            measures={key: CLASSIFICATION_MEASURES[key](samples) for key in measures},
        )

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


def _require_finite(name: str, values: Array) -> None:
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise OutputError(
            f"the model answered row {row} with NaN or infinity in output {name!r}. Check that the "
            "row lies in the range that the model was trained on."
        )


def load_model(
    path: str | Path, providers: Sequence[str] = (CPU,), limits: Limits = Limits()
) -> Predictor:
    """Load an artifact and prove that its uncertainty is alive.

    Args:
        path: of `model.onnx`.
        providers: ONNX Runtime execution providers, the preferred one first.
        limits: of each request.

    Raises:
        ArtifactError: the file is not a readable, complete artifact.
        ProofError: it loaded, but a claim of the proof does not hold.
        SetupError: a provider cannot run here.
    """
    artifact = read_artifact(path)
    sampler = Sampler(compile_plan(artifact), providers)
    return Predictor(artifact.manifest, sampler, prove(artifact, sampler), limits)
