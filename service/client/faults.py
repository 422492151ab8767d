"""What a failure is called: of an answer that is an error, and of a connection."""

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

#: So much of a text that is not ours is shown.
_SHOWN = 200
#: With these, nothing of a request was sent.
_NOT_SENT = (httpx.ConnectError, httpx.ProxyError, httpx.UnsupportedProtocol)


def fault_of(reply: Reply) -> ClientError | None:
    """The error that an answer is; None if it is what was asked for."""
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
    """The server's own words, or what stands in their place."""
    try:
        text = json.loads(reply.content)["error"]
    except (ValueError, LookupError, TypeError):
        text = None
    if isinstance(text, str):
        return text
    shown = reply.content[:_SHOWN].decode("utf-8", "replace").strip()
    return (
        f"the answer has status {reply.status} and is not this server's own; check the address, "
        f"and what lies between. It begins: {shown!r}"
    )


def _retry_after(reply: Reply) -> float | None:
    """Seconds; a date, which only others send, counts as nothing."""
    text = reply.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def failure(error: httpx.HTTPError | TimeoutError, url: str) -> ClientError | None:
    """What a failure to send a request, or to get its answer, is called.

    Args:
        error: of httpx or asyncio.
        url: of the server.

    Returns:
        The error; None: the time for it ran out.
    """
    fault = _failure(error, url)
    if fault is not None:
        fault.__cause__ = error
    return fault


def _failure(error: httpx.HTTPError | TimeoutError, url: str) -> ClientError | None:
    if isinstance(error, httpx.ConnectTimeout):
        return UnreachableError(f"{url}: no connection came about in time.", sent=False)
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return None
    if isinstance(error, httpx.TransportError):
        why = str(error) or type(error).__name__
        return UnreachableError(f"{url}: {why}.", sent=not isinstance(error, _NOT_SENT))
    return ServerFaultError(f"the answer of {url} cannot be read: {error}.")


def out_of_time(seconds: float) -> DeadlineExceededError:
    """The client's own time is over."""
    return DeadlineExceededError(
        f"the answer was not there within {seconds:.3g} s, all tries included. Allow more time, or "
        "ask for less."
    )


@contextmanager
def reading(reply: Reply) -> Iterator[None]:
    """Around the reading of an answer: what it does not hold is the server's fault.

    Raises:
        ServerFaultError: from whatever the reading raises.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        shown = reply.content[:_SHOWN].decode("utf-8", "replace")
        raise ServerFaultError(
            f"the answer is not what was asked for ({error!r}). Is a mcdropout server at this "
            f"address? It begins: {shown!r}",
            reply.status,
        ) from error
