"""The FastAPI application."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline

from service.api import health, native
from service.api.errors import install_error_handlers
from service.device import Device
from service.repository import Repository

DESCRIPTION = """
Monte Carlo dropout (Gal & Ghahramani 2016): every answer is the mean and variance over many
stochastic passes of a Keras model, so that it says how sure the model is.
"""


def create_app(
    repository: Repository,
    device: Device,
    on_loaded: Callable[[Repository], None] = lambda repository: None,
) -> FastAPI:
    """Serve the models of `repository`, which are loaded while the server already answers.

    Args:
        repository: scanned, not loaded.
        device: what its models run on.
        on_loaded: called once every model is ready or failed.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async def load() -> None:
            await asyncio.to_thread(repository.load_all)
            on_loaded(repository)

        loading = asyncio.create_task(load())
        yield
        await loading

    # Its documentation pages bring their scripts along; a server often has no internet.
    app: FastAPI = FastAPIOffline(
        title="mcdropout",
        description=DESCRIPTION,
        version=version("mcdropout"),
        lifespan=lifespan,
    )
    app.state.repository = repository
    app.state.device = device
    app.include_router(native.router)
    app.include_router(health.router)
    app.add_api_route("/", _to_docs, include_in_schema=False)
    install_error_handlers(app)
    return app


def _to_docs() -> RedirectResponse:
    return RedirectResponse("/docs")
