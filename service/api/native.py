"""The native protocol under /v1."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse

from service.api import wire
from service.api.disconnect import while_connected
from service.api.schemas import (
    Error,
    ModelDetails,
    ModelList,
    PredictRequest,
    PredictResponse,
)
from service.repository import Repository

ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Error, "description": "the request is wrong"},
    404: {"model": Error, "description": "no such model or version"},
    503: {"model": Error, "description": "the model is not ready"},
    # With a default declared, FastAPI does not add a 422 that we never send.
    "default": {"model": Error, "description": "any other failure"},
}

router = APIRouter(prefix="/v1/models", tags=["models"], responses=ERRORS)

Name = Annotated[str, Path(description="name of the model")]
Number = Annotated[int, Path(description="number of the version", ge=0)]


def _repository(request: Request) -> Repository:
    repository: Repository = request.app.state.repository
    return repository


@router.get("", response_model=ModelList)
def list_models(request: Request) -> ModelList:
    """All models and the state of their versions."""
    return wire.model_list(_repository(request))


@router.get("/{name}", response_model=ModelDetails)
def describe_model(request: Request, name: Name) -> ModelDetails:
    """Inputs, outputs, dropout sites, plan and proof of the version that answers."""
    return wire.model_details(_repository(request), request.app.state.device, name)


@router.get("/{name}/versions/{version}", response_model=ModelDetails)
def describe_version(request: Request, name: Name, version: Number) -> ModelDetails:
    """The same, of one version."""
    return wire.model_details(_repository(request), request.app.state.device, name, version)


@router.post("/{name}:predict", response_model=PredictResponse)
async def predict(request: Request, name: Name, body: PredictRequest) -> JSONResponse:
    """Mean and variance over stochastic passes, by the newest ready version."""
    return await _predict(request, name, None, body)


@router.post("/{name}/versions/{version}:predict", response_model=PredictResponse)
async def predict_version(
    request: Request, name: Name, version: Number, body: PredictRequest
) -> JSONResponse:
    """The same, by one version."""
    return await _predict(request, name, version, body)


async def _predict(
    request: Request, name: str, version: int | None, body: PredictRequest
) -> JSONResponse:
    repository = _repository(request)
    return await while_connected(
        request, lambda cancelled: wire.predict(repository, name, version, body, cancelled)
    )
