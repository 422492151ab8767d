"""Every failure becomes {"error": "what is wrong, where, and what would be right"}."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from service.api.http.app_state import context_of, state_of
from service.errors import (
    CancelledError,
    DeadlineError,
    ForbiddenError,
    InputError,
    LoadError,
    Loc,
    MCDropoutError,
    ModelNotFoundError,
    ModelUnavailableError,
    OutputError,
    QueueFullError,
    RefusedRowsError,
    StoppingError,
    TooLargeError,
    shortened,
)

log = logging.getLogger("mcdropout")

#: Maximum characters of a text, since names may be many and long.
_LONGEST = 2000

#: The most specific class decides. Other exceptions are internal errors.
STATUS: dict[type, int] = {
    InputError: 400,
    RefusedRowsError: 400,
    LoadError: 400,
    ForbiddenError: 403,
    ModelNotFoundError: 404,
    TooLargeError: 413,
    OutputError: 422,
    QueueFullError: 429,
    CancelledError: 499,  # as in nginx's log; no client reads it
    ModelUnavailableError: 503,
    StoppingError: 503,
    DeadlineError: 504,
}


def install_error_handlers(app: FastAPI) -> None:
    """Install handlers that answer every error in this form."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        return error_answer(request, error)

    for kind in (MCDropoutError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)


def error_answer(request: Request, error: Exception) -> JSONResponse:
    """The response to a request that ended with an error."""
    if isinstance(error, HTTPException):
        _forget_frames(error)
        return _http(request, error)
    status, text = status_of(error), error_text(request, error)
    seconds = getattr(error, "retry_after", None)
    return error_response(status, text, {"Retry-After": str(seconds)} if seconds else None)


def status_of(error: Exception) -> int:
    """The HTTP status of an error."""
    return next((STATUS[c] for c in type(error).__mro__ if c in STATUS), 500)


def error_text(request: Request, error: Exception) -> str:
    """What a client may read of an error; the log has the details of an internal one."""
    if status_of(error) == 500:
        return _internal(request, error)
    _forget_frames(error)
    return shortened(state_of(request).repository.without_folder(str(error)), _LONGEST)


@contextmanager
def placed(render: Callable[[Loc], str]) -> Iterator[None]:
    """Render the places in errors of rows in the form of a protocol."""
    try:
        yield
    except InputError as error:
        raise error.at(render) from None


def _forget_frames(error: BaseException | None) -> None:
    """Release the local variables of an error's traceback.

    They include the body with all its values. An error from a thread belongs to a future that one
    of these frames refers to; such a cycle would be kept until the garbage collector runs.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _http(request: Request, error: HTTPException) -> JSONResponse:
    text = str(error.detail)
    if error.status_code == 404:
        text = "unknown path. GET /docs lists all paths."
    if error.status_code == 405:
        text = _wrong_method(error)
    place = f"{request.method} {request.url.path}"
    return error_response(error.status_code, f"{place}: {text}", error.headers)


def _internal(request: Request, error: Exception) -> str:
    """Log the details of an internal error, which the client does not see."""
    number = context_of(request).id
    log.error("internal error %s", number, exc_info=error, extra={"request_id": number})
    return f"internal error {number}; the server's log has the details."


def _wrong_method(error: HTTPException) -> str:
    methods = sorted((error.headers or {}).get("Allow", "GET").split(", "))
    return f"this path accepts only {' and '.join(methods)}. GET /docs lists all paths and methods."


def error_response(
    status: int, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """An error response of at most `_LONGEST` characters."""
    return JSONResponse({"error": shortened(message, _LONGEST)}, status, headers=headers)
