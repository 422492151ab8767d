"""Answers that begin while their passes run: server-sent events, and lines of JSON.

Each event is an object: an estimate in the form of a plain answer with "final": false, the
answer with "final": true, or an error. A stream without one of the last two was cut off.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import NamedTuple

import orjson
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from service.api.http.app_state import context_of
from service.api.http.errors import error_text, status_of

SSE, NDJSON = "text/event-stream", "application/x-ndjson"

#: A proxy would hold events back to fill a buffer or to compress them.
_HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}


class Event(NamedTuple):
    """One of kind "estimate", "final" or "error"; its body is JSON without line feeds."""

    kind: str
    body: bytes


Events = AsyncGenerator[Event, None]


def _server_sent(event: Event) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event.kind.encode(), event.body)


def _line(event: Event) -> bytes:
    return event.body + b"\n"


#: The form of an event by media type.
FORMS: Mapping[str, Callable[[Event], bytes]] = {SSE: _server_sent, NDJSON: _line}


async def respond(request: Request, media_type: str, events: Events) -> Response:
    """The response to a request, once its first event is there.

    Args:
        request: that is answered.
        media_type: of `FORMS`.
        events: estimates, and the answer last. What they raise before the first event is
            raised here; a later error becomes the last event.
    """
    first = await anext(events)
    parts = _parts(request, FORMS[media_type], first, events)
    return _Streamed(parts, media_type=media_type, headers=_HEADERS)


async def _parts(
    request: Request, form: Callable[[Event], bytes], first: Event, events: Events
) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        try:
            yield form(first)
            async for event in events:
                yield form(event)
        except Exception as error:
            context_of(request).fault = error
            body = {"error": error_text(request, error), "status": status_of(error)}
            yield form(Event("error", orjson.dumps(body)))


class _Streamed(StreamingResponse):
    """A part is sent before the next is asked for, so a slow client holds none of them back."""

    body_iterator: AsyncGenerator[bytes, None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. Whether the client leaves is the data plane's to notice."""
        async with aclosing(self.body_iterator):
            await self.stream_response(send)
