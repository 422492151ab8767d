"""Health endpoints for orchestrators."""

from fastapi import APIRouter, Request

from service.api.http.app_state import AppState, state_of
from service.api.http.schemas import Error, Health
from service.errors import ModelUnavailableError
from service.repository.registry import State
from service.repository.versions import first_choice

router = APIRouter(prefix="/health", tags=["health"])


@router.head("/live", include_in_schema=False)
@router.get("/live", response_model=Health)
async def live() -> Health:
    """The process answers."""
    return Health(status="live")


@router.head("/ready", include_in_schema=False)
@router.get("/ready", response_model=Health, responses={503: {"model": Error}})
async def ready(request: Request) -> Health:
    """Every model has a version that can answer; a failed one does not stop the others."""
    require_ready(state_of(request))
    return Health(status="ready")


def require_ready(shared: AppState) -> None:
    """Check that every model of the start has a version that can answer.

    Raises:
        ModelUnavailableError: with the models that have none.
    """
    repository = shared.repository
    if shared.draining.is_set():
        raise ModelUnavailableError("the server is shutting down.", 1)
    # A model that was added later and fails must not make the server not ready.
    models = repository.models().items()
    states = {n: first_choice(found).state for n, found in models if n in repository.requested}
    if not repository.loaded:
        loading = [name for name, state in states.items() if state is State.LOADING]
        raise ModelUnavailableError(f"the models are loading: {loading}. Retry shortly.", 1)
    failed = [name for name, state in states.items() if state is State.FAILED]
    if failed:
        raise ModelUnavailableError(
            f"these models have no version that can answer: {failed}. GET /v1/models gives the "
            f"reasons; the other models are served."
        )
