"""HTTP connections with time limits for reading requests and sending answers."""

import asyncio
import json
import os
import select
import socket
from contextlib import suppress
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


def timed_protocol(seconds: float) -> type[asyncio.Protocol]:
    """Uvicorn's HTTP protocol with limits; see `TimedConnection`."""
    return type("TimedConnection", (TimedConnection,), {"seconds": seconds})


class TimedConnection(HttpToolsProtocol):
    """Uvicorn's HTTP protocol with time limits and with errors of the form {"error": …}.

    Uvicorn keeps connections whose request never ends ("slow loris"), or whose client never
    reads, until file descriptors or memory run out. Here the server checks each connection
    periodically.

    Attributes:
        seconds: maximum time from a request's first byte, or from the connection, to the
            request's last byte; and for each piece of an answer that waits for the client.
    """

    seconds = 30.0
    #: The request that is being answered; uvicorn's `cycle` is the last one with headers.
    _active: Any = None
    #: Time of the first byte of an incomplete request, or of the connection.
    _reading: float | None = None
    #: Time since which bytes have waited for the client to read.
    _writing: float | None = None
    _begun = False  # whether a request is incomplete

    def look(self, now: float, crowded: bool) -> None:
        """Close the connection if its client exceeds a time limit.

        Args:
            now: time of the event loop.
            crowded: whether idle connections are to be closed, because there are too many.
        """
        if crowded and self._idle():
            self.transport.close()
        if not self.transport.get_write_buffer_size():
            self._writing = None
        elif self._writing is None:
            self._writing = now
        elif now - self._writing > self.seconds:
            self.transport.abort()
            return
        if self._reading is None or self.transport.is_closing():
            return
        if self._owes():
            self._reading = now  # queued requests are not read meanwhile
        elif now - self._reading > self.seconds:
            self._give_up()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._reading = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        # They refer to the connection: such a circle would stay until the collector runs.
        self.cycle = self._active = None  # type: ignore[assignment]
        self.pipeline.clear()

    def data_received(self, data: bytes) -> None:
        if self._reading is None:
            self._reading = self.loop.time()
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("")

    def on_message_begin(self) -> None:
        self._begun = True
        self._reading = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if not self._upgrades():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._upgrades():
            self._begun = False
            self._reading = None
            super().on_message_complete()

    def resume_writing(self) -> None:
        self._writing = None  # the client has read a piece
        super().resume_writing()

    def shutdown(self) -> None:
        """At shutdown, close the connection if it is idle."""
        if self._answers():
            super().shutdown()
        elif self._idle():
            self._tell_end()
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        text = "this is not HTTP, or its headers are too large; it was not processed."
        self._refuse(b"400 Bad Request", text)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._active = cycle
        super()._start_asgi_task(cycle, app)

    def _answers(self) -> bool:
        return self._active is not None and not self._active.response_complete

    def _owes(self) -> bool:
        """Whether a complete request is not answered yet."""
        return self._answers() and not self._active.more_body

    def _idle(self) -> bool:
        """Whether it waits for a request of which no byte has arrived."""
        return not (self._answers() or self._begun or self._has_come())

    def _has_come(self) -> bool:
        """Whether the socket has bytes that the event loop has not read yet."""
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def _tell_end(self) -> None:
        """Tell the client at once that there will be no answer.

        The transport closes only when the event loop has gone through all connections. A client
        that sent a request until then would lose it.
        """
        descriptor = self.transport.get_extra_info("socket").fileno()
        # The client may have closed it.
        with socket.socket(fileno=os.dup(descriptor)) as same, suppress(OSError):
            same.shutdown(socket.SHUT_WR)

    def _upgrades(self) -> bool:
        upgrades: bool = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        return upgrades

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Parse a request again without its header Upgrade, which a server may ignore.

        Java's client, for example, offers HTTP/2 with it; the parser would take the body for that.
        """
        line = (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        head = [b"%s %s HTTP/%s" % line]
        head += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self.data_received(b"\r\n".join([*head, b"", b""]) + rest)

    def _give_up(self) -> None:
        self._reading = None
        active = self._active
        # After an answer has begun no other can be sent; the connection is closed silently.
        if active is not None and (
            active.response_started if active.more_body else not self._begun
        ):
            self.transport.close()
        else:
            self._refuse(
                b"408 Request Timeout",
                f"the request did not arrive within {self.seconds:g} s. Send it faster, or send "
                f"less data.",
            )

    def _refuse(self, status: bytes, text: str) -> None:
        """Answer an error without the application, and close; earlier requests come first."""
        if self._owes():
            self._active.keep_alive = False
            self.pipeline.clear()
            self.flow.pause_reading()
            return
        body = json.dumps({"error": text}).encode()
        self.transport.write(
            b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n%s" % (status, len(body), body)
        )
        self.transport.close()
