"""The routes of the protocol."""

from typing import Any

from fastapi import APIRouter, Request, Response

from service.api.http import health
from service.api.http.app_state import state_of
from service.api.http.body import describe_body
from service.api.http.examples import DIGIT, YEAR, Name, examples
from service.api.http.keys import needs
from service.api.http.schemas import ERRORS, Error
from service.api.http.versions import Number
from service.api.v2 import control, metadata
from service.api.v2.infer import infer
from service.api.v2.schemas import (
    InferRequest,
    InferResponse,
    Live,
    ModelConfig,
    ModelMetadata,
    ModelReady,
    Ready,
    ServerMetadata,
)
from service.protocol.tensors import HEADER

_BYTES = {
    "application/octet-stream": {
        "schema": {
            "type": "string",
            "format": "binary",
            "description": f"the same JSON, whose length the header {HEADER} says, and behind it "
            "the elements of the binary tensors: little-endian, row-major, in their order",
        }
    }
}


def _example(name: str, row: list[Any], **parameters: Any) -> dict[str, Any]:
    found = {"name": name, "shape": [1, len(row)], "datatype": "FP32", "data": row}
    return {"inputs": [found], "parameters": parameters}


_EXAMPLES = examples(
    {
        "co2": ("a regression", _example("year", YEAR, passes=100, seed=7)),
        "digits": (
            "a classification with measures",
            _example("pixels", DIGIT, passes=100, measures="label,mutual_information"),
        ),
    }
)
_INFER: dict[str, Any] = {
    "response_model": InferResponse,
    "responses": {
        200: {"content": _BYTES, "description": "the requested tensors"},
        413: {"model": Error, "description": "the body is too large"},
        415: {"model": Error, "description": "the body is compressed, or of an unsupported type"},
        422: {"model": Error, "description": "the model answered with NaN or infinity"},
        429: {
            "model": Error,
            "description": "too many in-flight requests; retry after Retry-After seconds",
        },
        504: {"model": Error, "description": "the request deadline has passed"},
    },
    "openapi_extra": describe_body(InferRequest, examples=_EXAMPLES, also=_BYTES),
}

asking = APIRouter(
    tags=["Open Inference Protocol"], responses=ERRORS, dependencies=[needs("predict")]
)
router = APIRouter(tags=["Open Inference Protocol"], responses=ERRORS)
router.include_router(control.router)


@router.get("/v2", response_model=ServerMetadata)
async def server() -> ServerMetadata:
    """Name, version and extensions of this server."""
    return metadata.server_metadata()


@router.get("/v2/health/live", response_model=Live)
async def live() -> Live:
    """The process answers."""
    return Live(live=True)


@router.get("/v2/health/ready", response_model=Ready)
async def ready(request: Request) -> Ready:
    """Every model has a version that can answer; a 503 names those that have none."""
    health.require_ready(state_of(request))
    return Ready(ready=True)


@router.get("/v2/models/{name}", response_model=ModelMetadata, response_model_exclude_none=True)
async def model(request: Request, name: Name) -> ModelMetadata:
    """Inputs of a model, and the outputs that may be requested."""
    return metadata.model_metadata(state_of(request).repository, name)


@router.get(
    "/v2/models/{name}/versions/{version}",
    response_model=ModelMetadata,
    response_model_exclude_none=True,
)
async def model_version(request: Request, name: Name, version: Number) -> ModelMetadata:
    """The same, of one version."""
    return metadata.model_metadata(state_of(request).repository, name, version)


@router.get("/v2/models/{name}/config", response_model=ModelConfig)
async def config(request: Request, name: Name) -> ModelConfig:
    """The same in the form of Triton's model configuration."""
    return metadata.model_config(state_of(request).repository, name)


@router.get("/v2/models/{name}/versions/{version}/config", response_model=ModelConfig)
async def version_config(request: Request, name: Name, version: Number) -> ModelConfig:
    """The same, of one version."""
    return metadata.model_config(state_of(request).repository, name, version)


@router.get("/v2/models/{name}/ready", response_model=ModelReady)
async def model_ready(request: Request, name: Name) -> ModelReady:
    """The model has a version that can answer; a 503 has the reason if not."""
    state_of(request).repository.predictor(name)
    return ModelReady(name=name, ready=True)


@router.get("/v2/models/{name}/versions/{version}/ready", response_model=ModelReady)
async def version_ready(request: Request, name: Name, version: Number) -> ModelReady:
    """The version can answer; a 503 has the reason if not."""
    state_of(request).repository.predictor(name, version)
    return ModelReady(name=name, ready=True)


@asking.post("/v2/models/{name}/infer", **_INFER)
async def infer_model(request: Request, name: Name) -> Response:
    """Mean and variance over stochastic passes, by the newest version that can answer."""
    return await infer(request, name, None)


@asking.post("/v2/models/{name}/versions/{version}/infer", **_INFER)
async def infer_version(request: Request, name: Name, version: Number) -> Response:
    """The same, by one version."""
    return await infer(request, name, version)
