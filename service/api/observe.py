"""Around every request: its id, its line in the log, its numbers, its span."""

import asyncio
import itertools
import logging
import math
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.metrics import Metrics
from service.api.room import Room
from service.api.tracing import Tracing
from service.batch import Ticket
from service.errors import DeadlineError
from service.guarded import guarded
from service.logs import access
from service.manifest import Manifest
from service.memory import give_back
from service.predictor import Prediction

_PROBE = re.compile(r"/(v2/)?health/(live|ready)|/metrics")
#: Together they make an id that no other process has.
_PROCESS, _number = secrets.token_hex(6), itertools.count(1)
#: Bytes of a request after which memory is given back to the system.
_MUCH = 1 << 20
#: Bytes of an answer that are handed to the network at a time.
_PIECE = 256 << 10
_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


@dataclass
class Seen:
    """What is known of a request by its end.

    Attributes:
        id: as the client sent it in X-Request-ID, or a new one.
        model, version: that it reached; empty where it reached none.
        status: of the answer.
        answered: whether the answer has begun.
        arrived: when its last byte was there, in seconds of the monotonic clock.
        seconds: that it may take from then on.
        tickets: of its jobs that came to an answer.
        found: what they came to, and the manifest that says of what kind it is.
    """

    id: str
    model: str = ""
    version: str = ""
    status: int = 500
    answered: bool = False
    arrived: float = 0.0
    seconds: float = math.inf
    tickets: list[Ticket] = field(default_factory=list)
    found: tuple[Manifest, Prediction] | None = None

    def arrive(self, seconds: float) -> None:
        """All of it is here; the answer has to be there within so many seconds."""
        self.arrived, self.seconds = time.monotonic(), seconds

    def left(self) -> float:
        """Seconds until its deadline."""
        return self.arrived + self.seconds - time.monotonic()

    def require_time(self) -> None:
        """Check that its deadline is not over.

        Raises:
            DeadlineError: it is.
        """
        if self.left() <= 0:
            raise self.too_late()

    def too_late(self) -> DeadlineError:
        """What is said when it is over."""
        return DeadlineError(
            f"the answer was not there within {self.seconds:g} s, and the work was stopped. Ask "
            "for fewer passes or rows, or allow more time."
        )


def seen(request: Request) -> Seen:
    """That of a request."""
    found: Seen = request.scope["state"]["seen"]
    return found


class Observe:
    """ASGI middleware, the outermost."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        tracing: Tracing,
        draining: threading.Event,
        room: Room,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._tracing = tracing
        self._draining = draining
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection's request; anything but HTTP passes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        mine = Seen(_id_of(scope))
        # The server's own `state` is shared by all requests.
        scope["state"] = {**scope.get("state", {}), "seen": mine}

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                mine.status, mine.answered = message["status"], True
                headers = [*message["headers"], (b"x-request-id", mine.id.encode())]
                if self._draining.is_set():
                    headers.append((b"connection", b"close"))
                message["headers"] = headers
            if len(message.get("body", b"")) > _PIECE:
                await _send_in_pieces(send, message)
            else:
                await send(message)

        begun = guarded("traces", self._tracing.begin, scope, mine)
        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            # Starlette raises again what it has answered and we have logged.
            if not mine.answered:
                raise
        finally:
            # The client has its answer: what is done here, it does not wait for.
            seconds = time.perf_counter() - start
            if self._room.leave(scope) > _MUCH:
                asyncio.get_running_loop().run_in_executor(None, give_back)
            if begun is not None:
                guarded("traces", self._tracing.end, begun, scope, mine)
            guarded("metrics", self._count, mine, seconds)
            if access.isEnabledFor(logging.INFO) and not _is_probe(scope, mine):
                guarded("access log", _log, scope, mine, seconds)

    def _count(self, mine: Seen, seconds: float) -> None:
        self._metrics.ended(mine.model, mine.version, mine.status, seconds)
        for ticket in mine.tickets:
            self._metrics.answered(mine.model, mine.version, ticket)
        if mine.found:
            self._metrics.uncertainty.observe(mine.model, mine.version, *mine.found)


async def _send_in_pieces(send: Send, message: Message) -> None:
    """A client that does not read leaves one piece in the server's buffers, and no more."""
    body = message["body"]
    for first in range(0, len(body), _PIECE):
        more = message.get("more_body", False) or first + _PIECE < len(body)
        piece = body[first : first + _PIECE]
        await send({"type": message["type"], "body": piece, "more_body": more})


def _id_of(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            return bytes(value).decode()
    return f"{_PROCESS}-{next(_number):x}"


def _is_probe(scope: Scope, mine: Seen) -> bool:
    """Orchestrators and Prometheus ask every few seconds, and say nothing by it."""
    return mine.status == 200 and bool(_PROBE.fullmatch(scope["path"]))


def _log(scope: Scope, mine: Seen, seconds: float) -> None:
    # As it came, percent-encoded: decoded, it could break the line.
    path = scope.get("raw_path", b"").decode("latin-1") or scope["path"]
    fields: dict[str, Any] = {
        "request_id": mine.id,
        "method": scope["method"],
        "path": path,
        "status": mine.status,
        "milliseconds": round(seconds * 1e3, 3),
    }
    if mine.model:
        fields |= {"model": mine.model, "version": mine.version}
    for ticket in mine.tickets:
        fields |= {
            "rows": ticket.job.count,
            "passes": ticket.job.passes,
            "queue_milliseconds": round((ticket.began - ticket.arrived) * 1e3, 3),
            "compute_milliseconds": round(ticket.computing * 1e3, 3),
        }
    access.info(
        "%s %s %d %.1f ms %s",
        *(fields["method"], path, mine.status, fields["milliseconds"], mine.id),
        extra=fields,
    )
