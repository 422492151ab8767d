"""Every failure becomes {"error": "what is wrong, where, and what would be right"}."""

import logging
import secrets
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from service.errors import (
    CancelledError,
    InputError,
    MCDropoutError,
    ModelError,
    ModelNotFoundError,
    ModelUnavailableError,
    OutputError,
)

EXAMPLE = 'an object such as {"instances": [[…]], "passes": 100}'

log = logging.getLogger("mcdropout")

#: The most specific class that fits decides.
STATUS: dict[type[MCDropoutError], int] = {
    InputError: 400,
    ModelNotFoundError: 404,
    ModelUnavailableError: 503,
    CancelledError: 499,  # as in nginx's log; nobody reads it
    OutputError: 500,
    ModelError: 500,
    MCDropoutError: 500,
}


def install_error_handlers(app: FastAPI) -> None:
    """Let every error of `app` leave in the one form."""

    @app.exception_handler(MCDropoutError)
    def _ours(request: Request, error: MCDropoutError) -> JSONResponse:
        status = next(STATUS[c] for c in type(error).__mro__ if c in STATUS)
        return error_response(status, str(error))

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return error_response(400, validation_message(error))

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        text = _HTTP_TEXTS.get(error.status_code, str(error.detail))
        place = f"{request.method} {request.url.path}"
        return error_response(error.status_code, f"{place}: {text}", error.headers)

    @app.exception_handler(Exception)
    def _unforeseen(request: Request, error: Exception) -> JSONResponse:
        number = secrets.token_hex(4)
        log.error("internal error %s", number, exc_info=error)
        return error_response(500, f"internal error {number}; the server's log has the details.")


_HTTP_TEXTS = {
    400: "the body cannot be parsed as JSON.",
    404: "there is no such page. GET /docs lists them all.",
    405: "the page does not take this method. GET /docs lists what does.",
}


def error_response(
    status: int, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A response in the one form of errors."""
    return JSONResponse({"error": message}, status, headers=headers)


def validation_message(error: RequestValidationError) -> str:
    """The first fault that pydantic found, in a sentence."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return (
            f"the body is not JSON: {first['ctx']['error']} at character {first['loc'][-1]}. "
            f"Send {EXAMPLE}."
        )
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "path", "query"))
    message = str(first["msg"]).removeprefix("Value error, ")
    if not place:
        wrong = "it is empty" if first["type"] == "missing" else message
        return f"the body is wrong: {wrong}. Send {EXAMPLE}."
    if first["type"] == "extra_forbidden":
        return f"the body has an unknown field {place!r}. GET /docs lists the fields."
    return f"{place} is {_shown(first.get('input'))}: {message}."


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
