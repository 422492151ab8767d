"""Maps HTTP errors and connection failures to the client's errors."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from service.client.errors import (
    ClientError,
    DeadlineExceededError,
    RefusedError,
    ServerFaultError,
    UnavailableError,
    UnreachableError,
)
from service.client.steps import Reply

#: Maximum number of bytes shown of an unknown answer.
_SHOWN = 200
#: After these errors of httpx, nothing of the request was sent.
_NOT_SENT = (httpx.ConnectError, httpx.ProxyError, httpx.UnsupportedProtocol)


def fault_of(reply: Reply) -> ClientError | None:
    """The error of an answer; None if it is a success."""
    status, text = reply.status, _text(reply)
    if status == 200:
        return None
    if status in (429, 503):
        return UnavailableError(text, status, _retry_after(reply))
    if status == 504:
        return DeadlineExceededError(text, status)
    if 400 <= status < 500:
        return RefusedError(text, status)
    return ServerFaultError(text, status)


def _text(reply: Reply) -> str:
    """The server's own text, or a replacement."""
    try:
        text = json.loads(reply.content)["error"]
    except (ValueError, LookupError, TypeError):
        text = None
    if isinstance(text, str):
        return text
    shown = reply.content[:_SHOWN].decode("utf-8", "replace").strip()
    return (
        f"the answer has status {reply.status} and is not from a mcdropout server; check the URL "
        f"and any proxy. It begins: {shown!r}"
    )


def _retry_after(reply: Reply) -> float | None:
    """Seconds; a date, which this server does not send, is ignored."""
    text = reply.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def failure(error: httpx.HTTPError | TimeoutError, url: str) -> ClientError | None:
    """The client's error for a failure to send a request or to receive its answer.

    Args:
        error: of httpx or asyncio.
        url: of the server.

    Returns:
        The error; None: the deadline has passed.
    """
    fault = _failure(error, url)
    if fault is not None:
        fault.__cause__ = error
    return fault


def _failure(error: httpx.HTTPError | TimeoutError, url: str) -> ClientError | None:
    if isinstance(error, httpx.ConnectTimeout):
        return UnreachableError(f"{url}: the connection timed out.", sent=False)
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return None
    if isinstance(error, httpx.TransportError):
        why = str(error) or type(error).__name__
        return UnreachableError(f"{url}: {why}.", sent=not isinstance(error, _NOT_SENT))
    return ServerFaultError(f"the answer of {url} cannot be read: {error}.")


def out_of_time(seconds: float) -> DeadlineExceededError:
    """The error of a missed deadline of the client."""
    return DeadlineExceededError(
        f"the answer was not ready within {seconds:.3g} s, including all retries. Allow more time, "
        f"or request less."
    )


@contextmanager
def reading(reply: Reply) -> Iterator[None]:
    """Context for reading an answer: errors become the server's fault.

    Raises:
        ServerFaultError: from any error in reading.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        shown = reply.content[:_SHOWN].decode("utf-8", "replace")
        raise ServerFaultError(
            f"the answer is not valid ({error!r}). Is a mcdropout server at this URL? It begins: "
            f"{shown!r}",
            reply.status,
        ) from error
