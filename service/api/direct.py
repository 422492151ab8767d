"""Routes without FastAPI's reading of parameters, which takes longer than a short answer."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from service.errors import InputError


class Direct(APIRoute):
    """Calls its function with the request and the path's `name` and `version`.

    The OpenAPI document still comes from the function's signature.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            parameters: dict[str, Any] = dict(request.path_params)
            if "version" in parameters:
                parameters["version"] = _number(parameters["version"])
            response: Response = await endpoint(request, **parameters)
            return response

        return handle


def _number(text: str) -> int:
    # int() takes also signs, spaces, underscores and other scripts' digits.
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InputError(wrong_version(text))
    return int(text)


def wrong_version(text: str) -> str:
    """What is said of a path whose version is no number."""
    return (
        f"the version in the path is {text[:40]!r}; it takes a whole number of up to 18 digits, "
        "such as 1."
    )
