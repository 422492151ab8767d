"""The most frequent routes, matched before FastAPI's router, which takes longer."""

import re
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from service.api.http.errors import error_answer, error_response
from service.api.http.versions import version_number

#: Routers treat these differently: a pattern's `$` also matches before a final newline.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NO_CONTROL = "the path has a control character, such as %0A for a line feed; remove it."


class Direct:
    """ASGI layer around a FastAPI application, which has the same routes for its document.

    It calls a route's dependencies with the request, and its function with the request and
    the path's `name` and `version`.
    """

    def __init__(self, app: FastAPI, routes: Sequence[BaseRoute]) -> None:
        """`routes` take POST and read their bodies themselves."""
        self._app = app
        self._routes = [route for route in routes if isinstance(route, APIRoute)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or call the application."""
        if scope["type"] == "http" and _CONTROL.search(scope["path"]):
            await error_response(400, _NO_CONTROL)(scope, receive, send)
            return
        if scope["type"] == "http" and scope["method"] == "POST":
            for route in self._routes:
                if found := route.path_regex.match(scope["path"]):
                    scope["app"], scope["route"] = self._app, route
                    request = Request(scope, receive, send)
                    response = await _answer(route, request, found.groupdict())
                    await response(scope, receive, send)
                    return
        await self._app(scope, receive, send)


async def _answer(route: APIRoute, request: Request, parameters: dict[str, Any]) -> Response:
    try:
        for needed in route.dependencies:
            if needed.dependency is not None:
                await needed.dependency(request)
        if "version" in parameters:
            parameters["version"] = version_number(parameters["version"])
        response: Response = await route.endpoint(request, **parameters)
        return response
    except Exception as error:
        return error_answer(request, error)
