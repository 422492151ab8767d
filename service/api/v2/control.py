"""The model repository extension: list, load and unload models."""

import asyncio
from collections.abc import Callable
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException

from service.api.http.app_state import state_of
from service.api.http.body import describe_body, parse_json, read_body
from service.api.http.examples import Name
from service.api.http.keys import needs
from service.api.http.schemas import Error
from service.api.v2 import metadata
from service.api.v2.schemas import ControlRequest, IndexEntry, IndexRequest
from service.errors import DeadlineError
from service.repository.registry import Repository

#: Limits concurrent loads and unloads. They have their own threads, so that other requests do
#: not wait for a thread behind them.
_LOADS = CapacityLimiter(8)

SETTING = "MCDROPOUT_REPOSITORY_CONTROL"

ERRORS: dict[int | str, dict[str, Any]] = {
    403: {"model": Error, "description": "loading and unloading by request is not allowed"},
    404: {"model": Error, "description": "no such model"},
}

router = APIRouter(prefix="/v2/repository")


@router.post(
    "/index",
    response_model=list[IndexEntry],
    openapi_extra=describe_body(IndexRequest, required=False),
)
async def list_models(request: Request) -> list[IndexEntry]:
    """All versions of all models with their states, or those that can answer."""
    body = await read_body(request)
    asked = parse_json(IndexRequest, body or b"{}", 'empty, or {"ready": true}')
    return metadata.index(state_of(request).repository, asked.ready)


@router.post(
    "/models/{name}/load",
    responses=ERRORS,
    dependencies=[needs("control")],
    openapi_extra=describe_body(ControlRequest, required=False),
)
async def load(request: Request, name: Name) -> dict[str, Any]:
    """Load or reload a model from the server's folder."""
    repository = await _controlled(request)
    await _in_time(request, repository.load, name)
    return {}


@router.post(
    "/models/{name}/unload",
    responses=ERRORS,
    dependencies=[needs("control")],
    openapi_extra=describe_body(ControlRequest, required=False),
)
async def unload(request: Request, name: Name) -> dict[str, Any]:
    """Unload a model; it cannot answer until it is loaded again."""
    repository = await _controlled(request)
    await _in_time(request, repository.unload, name)
    return {}


async def _controlled(request: Request) -> Repository:
    """The repository, if requests may change it and the body of this one is valid."""
    shared = state_of(request)
    if not shared.control:
        raise HTTPException(
            403, f"loading and unloading models by request is disabled. {SETTING}=true enables it."
        )
    body = await read_body(request)
    parse_json(ControlRequest, body or b"{}", "nothing, or {}")
    return shared.repository


async def _in_time(request: Request, work: Callable[[str], object], name: str) -> None:
    """Do work that may take long, and wait for it within the request deadline.

    Raises:
        DeadlineError: it continues in the background.
    """
    seconds = state_of(request).plane.timeout
    try:
        async with asyncio.timeout(seconds):
            await to_thread.run_sync(work, name, abandon_on_cancel=True, limiter=_LOADS)
    except TimeoutError as error:
        raise DeadlineError(
            f"model {name!r} took longer than {seconds:g} s and continues. GET /v1/models/{name} "
            f"shows the result."
        ) from error
