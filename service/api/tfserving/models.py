"""Descriptions of models, in the native form and in TensorFlow Serving's."""

from collections.abc import Sequence
from typing import Any

from service.api.tfserving.schemas import (
    DeviceStatus,
    MeasureDetails,
    ModelDetails,
    ModelList,
    ModelMetadata,
    ModelStatus,
    ServingStatus,
    ServingVersion,
    VersionStatus,
)
from service.core.measures import BoundMeasure
from service.inference.predictor import Predictor
from service.manifest import TensorSpec
from service.protocol.datatypes import BY_DTYPE
from service.repository.registry import Repository, State, Version
from service.runtime.device import Device

_SERVING_STATES = {
    State.LOADING: ("LOADING", "OK"),
    State.READY: ("AVAILABLE", "OK"),
    State.FAILED: ("END", "UNKNOWN"),
    State.UNLOADED: ("END", "OK"),
}


#: What the details of a model say as its manifest does.
_FACTS = ("task", "passes", "noise", "noise_precision")


def model_list(repository: Repository) -> ModelList:
    """All models and the state of their versions."""
    return ModelList(
        models=[
            ModelStatus(name=name, versions=[_status(repository, v) for v in versions])
            for name, versions in repository.models().items()
        ]
    )


def model_details(
    repository: Repository, device: Device, name: str, number: int | None = None
) -> ModelDetails:
    """All details of one version, by default the newest that can answer."""
    version = repository.version(name, number)
    details = ModelDetails(
        name=name,
        versions=[_status(repository, v) for v in repository.versions(name)],
        model_version_status=[_serving(repository, v) for v in repository.versions(name)],
        **_status(repository, version).model_dump(),
    )
    if version.predictor is None:
        return details
    manifest = version.predictor.manifest
    return details.model_copy(
        update={
            **{key: getattr(manifest, key) for key in _FACTS},
            **{key: list(getattr(manifest, key)) for key in ("inputs", "outputs", "sites")},
            "measures": _measures(version.predictor.measures),
            "default_measures": list(manifest.measures),
            **_calibration(repository, version.predictor),
            "labels": None if manifest.labels is None else list(manifest.labels),
            "providers": list(version.predictor.providers),
            "device": DeviceStatus(asked=device.asked, got=device.got, why=device.why),
            "plan": version.predictor.planned.report,
            "proof": version.predictor.verification,
        }
    )


def _calibration(repository: Repository, predictor: Predictor) -> dict[str, Any]:
    ignored = predictor.calibration.ignored
    return {
        "calibration": predictor.terms.summary,
        "calibration_ignored": repository.without_folder(ignored) or None,
    }


def _measures(measures: Sequence[BoundMeasure]) -> list[MeasureDetails]:
    found: dict[str, MeasureDetails] = {}
    for bound in measures:
        about = {key: getattr(bound.measure, key) for key in ("name", "unit", "dtype")}
        about |= {key: getattr(bound.measure, key)() for key in ("description", "arguments")}
        details = found.setdefault(bound.name, MeasureDetails(**about, shapes={}))
        details.shapes[bound.output] = bound.shape
    return list(found.values())


def _status(repository: Repository, version: Version) -> VersionStatus:
    reason = repository.without_folder(version.reason)
    return VersionStatus(version=version.number_text, state=version.state, reason=reason)


def _serving(repository: Repository, version: Version) -> ServingVersion:
    state, code = _SERVING_STATES[version.state]
    reason = repository.without_folder(version.reason)
    status = ServingStatus.model_validate({"error_code": code, "error_message": reason})
    return ServingVersion.model_validate(
        {"version": version.number_text, "state": state, "status": status}
    )


def model_metadata(repository: Repository, name: str, number: int | None = None) -> ModelMetadata:
    """The signature of a version that can answer.

    Raises:
        ModelNotFoundError, ModelUnavailableError: there is none.
    """
    version, predictor = repository.predictor(name, number)
    manifest = predictor.manifest
    signature = {
        "inputs": {spec.name: _tensor(spec) for spec in manifest.inputs},
        "outputs": {spec.name: _tensor(spec) for spec in manifest.outputs},
        "method_name": "tensorflow/serving/predict",
    }
    metadata: dict[str, Any] = {"signature_def": {"signature_def": {"serving_default": signature}}}
    if (calibration := predictor.terms.summary) is not None:
        metadata["calibration"] = calibration.model_dump(mode="json")
    spec = {"name": name, "signature_name": "", "version": version.number_text}
    return ModelMetadata(model_spec=spec, metadata=metadata)


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    sizes = [{"size": str(-1 if size is None else size), "name": ""} for size in spec.shape]
    return {
        "dtype": BY_DTYPE[spec.dtype].tensorflow,
        "tensor_shape": {"dim": sizes, "unknown_rank": False},
        "name": spec.name,
    }
