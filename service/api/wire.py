"""Between wire schemas and the predictor, without anything of HTTP's own."""

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi.responses import JSONResponse

from service.api.schemas import (
    DeviceStatus,
    ModelDetails,
    ModelList,
    ModelStatus,
    PredictRequest,
    VersionStatus,
)
from service.device import Device
from service.errors import InputError
from service.inputs import Where, at
from service.predictor import OutputPrediction, Predictor
from service.repository import Repository, Version


def predict(
    repository: Repository,
    name: str,
    number: int | None,
    body: PredictRequest,
    cancelled: threading.Event,
) -> JSONResponse:
    """Answer one request, unless it is `cancelled`.

    The answer goes out as it is: checking it against its schema again would
    cost more than sampling it.
    """
    version, predictor = repository.predictor(name, number)
    x, root, where = _rows(predictor, body)
    answer: dict[str, Any] = {"model": name, "version": str(version.number)}
    if body.training:
        result = predictor.predict(
            x,
            body.passes,
            body.seed,
            body.measures,
            masks=body.masks,
            rate_scale=body.rate_scale,
            sites=body.sites,
            cancelled=cancelled,
            root=root,
            where=where,
        )
        answer |= {"passes": result.passes, "seed": result.seed}
        columns = {output: _columns(prediction) for output, prediction in result.items()}
    else:
        outputs = predictor.predict_deterministic(x, root=root, where=where)
        columns = {output: {"output": y.tolist()} for output, y in outputs.items()}
    return JSONResponse(answer | {"predictions": _by_row(columns)})


def _rows(predictor: Predictor, body: PredictRequest) -> tuple[Any, str, Any]:
    """The rows as columns, what to call them, and what to call their places."""
    if body.instances is None:
        return body.inputs, "inputs", None
    if not body.instances or not isinstance(body.instances[0], dict):
        return body.instances, "instances", None
    names = [spec.name for spec in predictor.manifest.inputs]
    for index, instance in enumerate(body.instances):
        if not isinstance(instance, dict) or set(instance) != set(names):
            raise InputError(
                f"instances[{index}] is not an object with exactly the model's inputs {names}."
            )
    columns = {name: [instance[name] for instance in body.instances] for name in names}
    return columns, "instances", _instance_places


def _instance_places(name: str) -> Where:
    def where(indices: tuple[int, ...]) -> str:
        if not indices:
            return f"instances[*].{name}"
        return at(f"instances[{indices[0]}].{name}")(indices[1:])

    return where


def _columns(prediction: OutputPrediction) -> dict[str, list[Any]]:
    columns = {"mean": prediction.mean, "variance": prediction.variance, **prediction.measures}
    return {key: values.tolist() for key, values in columns.items()}


def _by_row(columns: Mapping[str, Mapping[str, list[Any]]]) -> list[Any]:
    """Output name to key to one value per row, turned into one object per row."""
    rows = {name: list(_transpose(values)) for name, values in columns.items()}
    if len(rows) == 1:
        return next(iter(rows.values()))
    return [dict(zip(rows, parts, strict=True)) for parts in zip(*rows.values(), strict=True)]


def _transpose(columns: Mapping[str, list[Any]]) -> Iterable[dict[str, Any]]:
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def model_list(repository: Repository) -> ModelList:
    """All models and the state of their versions."""
    return ModelList(
        models=[
            ModelStatus(name=name, versions=[_status(v) for v in repository.versions(name)])
            for name in repository.names()
        ]
    )


def model_details(
    repository: Repository, device: Device, name: str, number: int | None = None
) -> ModelDetails:
    """Everything known of one version, by default the one that answers."""
    version = repository.version(name, number)
    details = ModelDetails(
        name=name,
        versions=[_status(v) for v in repository.versions(name)],
        **_status(version).model_dump(),
    )
    if version.predictor is None:
        return details
    manifest = version.predictor.manifest
    return details.model_copy(
        update={
            **{key: getattr(manifest, key) for key in ("task", "labels", "passes")},
            **{key: list(getattr(manifest, key)) for key in ("inputs", "outputs", "sites")},
            "providers": list(version.predictor.providers),
            "device": DeviceStatus(asked=device.asked, got=device.got, why=device.why),
            "plan": version.predictor.planned.report,
            "proof": version.predictor.proof,
        }
    )


def _status(version: Version) -> VersionStatus:
    return VersionStatus(version=str(version.number), state=version.state, reason=version.reason)
