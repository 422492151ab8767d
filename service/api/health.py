"""Health endpoints for orchestrators."""

from fastapi import APIRouter, Request

from service.api.schemas import Error, Health
from service.errors import ModelUnavailableError
from service.repository import Repository, State

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", response_model=Health)
def live() -> Health:
    """The process answers."""
    return Health(status="live")


@router.get("/ready", response_model=Health, responses={503: {"model": Error}})
def ready(request: Request) -> Health:
    """Every model has a version that can answer; a failed one does not stop the others."""
    repository: Repository = request.app.state.repository
    if not repository.loaded:
        raise ModelUnavailableError("the models are loading; try again in a moment.")
    failed = [n for n in repository.names() if repository.version(n).state is State.FAILED]
    if failed:
        raise ModelUnavailableError(
            f"these models have no version that can answer: {failed}. GET /v1/models says why; "
            "the other models serve."
        )
    return Health(status="ready")
