"""Middleware around every request: request id, access log, metrics, span."""

import itertools
import logging
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.http.app_state import AppState
from service.api.http.errors import status_of
from service.guarded import guarded
from service.protocol.options import REQUEST_ID
from service.serving.context import Context

#: The access log.
access = logging.getLogger("mcdropout.access")

_PROBE = re.compile(r"/(v2/)?health/(live|ready)|/metrics")
#: Together they make an id that is unique between processes.
_PROCESS, _number = secrets.token_hex(6), itertools.count(1)
#: Bytes of an answer that are sent at a time.
_PIECE = 256 << 10


@dataclass
class _Answer:
    """The part of an answer that was sent."""

    status: int = 500
    begun: bool = False


class Observe:
    """ASGI middleware, the outermost."""

    def __init__(self, app: ASGIApp, shared: AppState) -> None:
        self._app = app
        self._shared = shared
        self._plane = shared.plane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection's request; anything but HTTP passes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        # The body has been read by then, so the next message is the client's disconnect.
        context, answer = Context(_id_of(scope), disconnected=receive), _Answer()
        # The server's own `state` is shared by all requests.
        scope["state"] = {**scope.get("state", {}), "context": context}

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status, answer.begun = message["status"], True
                headers = [*message["headers"], (b"x-request-id", context.id.encode())]
                if self._shared.draining.is_set():
                    headers.append((b"connection", b"close"))
                message["headers"] = headers
            if len(message.get("body", b"")) > _PIECE:
                await _send_in_pieces(send, message)
            else:
                await send(message)

        span = guarded("traces", self._begin_span, scope, context)
        try:
            with self._plane.request(context):
                await self._app(scope, receive, send_with_id)
        except Exception:
            # Starlette raises errors again that it has answered and that have been logged.
            if not answer.begun:
                raise
        finally:
            # The client has its answer and does not wait for this.
            seconds = time.perf_counter() - start
            if context.fault is not None:
                answer.status = status_of(context.fault)
            if span is not None:
                guarded("traces", self._end_span, span, scope, context, answer)
            guarded("metrics", self._plane.metrics.ended, *context.label, answer.status, seconds)
            if access.isEnabledFor(logging.INFO) and not _is_probe(scope, answer):
                guarded("access log", _log, scope, context, answer, seconds)

    def _begin_span(self, scope: Scope, context: Context) -> Any:
        carrier = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        attributes = {
            "http.request.method": scope["method"],
            "url.path": scope["path"],
            "mcdropout.request_id": context.id,
        }
        return self._plane.tracing.begin(scope["method"], carrier, attributes)

    def _end_span(self, span: Any, scope: Scope, context: Context, answer: _Answer) -> None:
        attributes: dict[str, Any] = {"http.response.status_code": answer.status}
        route, name = scope.get("route"), None
        if route is not None:
            attributes["http.route"] = route.path
            name = f"{scope['method']} {route.path}"
        if context.model:
            attributes |= {
                "mcdropout.model": context.model,
                "mcdropout.version": context.version,
            }
        self._plane.tracing.end(span, name, attributes, answer.status >= 500)


async def _send_in_pieces(send: Send, message: Message) -> None:
    """Send in pieces, so that at most one waits in the buffers for a slow client."""
    body = message["body"]
    for first in range(0, len(body), _PIECE):
        more = message.get("more_body", False) or first + _PIECE < len(body)
        piece = body[first : first + _PIECE]
        await send({"type": message["type"], "body": piece, "more_body": more})


def _id_of(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(sent := value.decode("latin-1")):
            return str(sent)
    return f"{_PROCESS}-{next(_number):x}"


def _is_probe(scope: Scope, answer: _Answer) -> bool:
    """Whether it is a successful health check or scrape, which is not logged."""
    return answer.status == 200 and bool(_PROBE.fullmatch(scope["path"]))


def _log(scope: Scope, context: Context, answer: _Answer, seconds: float) -> None:
    # Percent-encoded as received: decoded, it could break the line.
    path = scope.get("raw_path", b"").decode("latin-1") or scope["path"]
    fields: dict[str, Any] = {
        "request_id": context.id,
        "method": scope["method"],
        "path": path,
        "status": answer.status,
        "milliseconds": round(seconds * 1e3, 3),
    }
    if context.model:
        fields |= {"model": context.model, "version": context.version}
    for ticket in context.tickets:
        fields |= {
            "rows": ticket.job.count,
            "passes": ticket.job.passes_run,
            "queue_milliseconds": round((ticket.began - ticket.arrived) * 1e3, 3),
            "compute_milliseconds": round(ticket.computing * 1e3, 3),
        }
    access.info(
        "%s %s %d %.1f ms %s",
        *(fields["method"], path, answer.status, fields["milliseconds"], context.id),
        extra=fields,
    )
