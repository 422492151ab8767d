"""The FastAPI application."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from service.api import v2
from service.api.http import health
from service.api.http.app_state import AppState, state_of
from service.api.http.direct import Direct
from service.api.http.document import describe_keys
from service.api.http.errors import install_error_handlers
from service.api.http.keys import Key, RequireKey
from service.api.http.observe import Observe
from service.api.tfserving import routes as native
from service.api.ui import routes as ui
from service.protocol.tensors import HEADER

DESCRIPTION = """
Monte Carlo dropout (Gal & Ghahramani 2016): every answer is the mean and variance over many
stochastic forward passes of a Keras model, and so reports how certain the model is.
"""


def create_app(
    shared: AppState,
    *,
    keys: Sequence[Key] = (),
    cors_origins: Sequence[str] = (),
    page: bool = True,
    on_start: Callable[[], None] = lambda: None,
    on_stop: Callable[[], None] = lambda: None,
) -> ASGIApp:
    """Serve models.

    Args:
        shared: state shared by the routes.
        keys: API keys; without any, no authentication is required.
        cors_origins: origins whose web pages may send requests.
        page: whether / is the web page, or else leads to the documentation.
        on_start: called at startup.
        on_stop: called at shutdown.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        on_start()
        yield
        on_stop()

    # The documentation pages include their scripts, since servers often have no internet.
    app: FastAPI = FastAPIOffline(
        title="mcdropout",
        description=DESCRIPTION,
        version=version("mcdropout"),
        lifespan=lifespan,
        # `observe` makes spans and metrics; FastAPI would check on each request whether to
        # make its own.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.shared = shared
    _add_routes(app, page)
    install_error_handlers(app)
    if keys:
        describe_keys(app)
    inner: ASGIApp = Direct(app, [*native.asking.routes, *v2.asking.routes])
    if keys:
        inner = RequireKey(inner, list(keys))
    if cors_origins:
        # Outside of authentication: a browser's preflight request has no key.
        inner = CORSMiddleware(
            inner,
            allow_origins=list(cors_origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["Retry-After", "X-Request-ID", HEADER],
        )
    return Observe(inner, shared)


def _add_routes(app: FastAPI, page: bool) -> None:
    for router in (native.asking, v2.asking, native.router, v2.router, health.router):
        app.include_router(router)
    app.add_api_route(
        "/metrics", _metrics, name="metrics", response_class=_Metrics, tags=["health"]
    )
    if page:
        app.include_router(ui.router)
    else:
        app.add_api_route("/", _to_docs, include_in_schema=False)


class _Metrics(Response):
    """The text format of Prometheus."""

    media_type = CONTENT_TYPE_LATEST


async def _metrics(request: Request) -> Response:
    """Metrics for Prometheus."""
    return _Metrics(state_of(request).plane.metrics.text())


async def _to_docs() -> RedirectResponse:
    return RedirectResponse("/docs")
