"""Loads a model from its file: read, plan, verify."""

from collections.abc import Sequence
from pathlib import Path

from service.graph.artifact import read_artifact
from service.inference.calibration import OnMisfit, find_calibration
from service.inference.options import Limits
from service.inference.planner import plan_model
from service.inference.predictor import Predictor
from service.runtime.engine import CPU, Provider


def load_uncalibrated(path: str | Path, providers: Sequence[Provider] = (CPU,)) -> Predictor:
    """Load a model as `load_model` does, but without what lies beside its file as a calibration.

    Raises:
        ArtifactError, ProofError, ModelError, SetupError: see `load_model`.
    """
    artifact = read_artifact(path)
    return Predictor(artifact, plan_model(artifact, providers, Limits().memory))


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
        on_misfit: "ignore": a calibration that is not of this model is not applied; the predictor's
            `calibration.ignored` says why.
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
