"""HTTP connections that do not wait for ever: a request has to arrive within a time."""

import asyncio
import json
import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)


def impatient(seconds: float) -> type[asyncio.Protocol]:
    """Uvicorn's HTTP protocol with a limit.

    Uvicorn by itself keeps a connection whose request never ends (a "slow loris"), until
    there are no file descriptors left. Its own answers become {"error": …}, too.

    Args:
        seconds: from a request's first byte, or the connection, to the request's last byte.
    """

    class Impatient(HttpToolsProtocol):
        _reading: asyncio.TimerHandle | None = None
        _begun = False  # whether a request's first byte came, and not its last

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._expect()

        def data_received(self, data: bytes) -> None:
            if not self._begun:
                data = _without_upgrade(data)
            super().data_received(data)

        def on_message_begin(self) -> None:
            self._begun = True
            super().on_message_begin()
            self._expect()

        def on_message_complete(self) -> None:
            self._begun = False
            super().on_message_complete()
            self._arrived()

        def connection_lost(self, exc: Exception | None) -> None:
            self._arrived()
            super().connection_lost(exc)

        def send_400_response(self, msg: str) -> None:
            text = "this is not HTTP, or its headers are too large; nothing of it was read."
            self._refuse(b"400 Bad Request", text)

        def _expect(self) -> None:
            if self._reading is None:
                self._reading = self.loop.call_later(seconds, self._give_up)

        def _arrived(self) -> None:
            if self._reading is not None:
                self._reading.cancel()
                self._reading = None

        def _give_up(self) -> None:
            self._reading = None
            cycle = self.cycle
            if cycle is not None and cycle.response_started and not cycle.response_complete:
                self.transport.close()
            elif not self.transport.is_closing():
                self._refuse(
                    b"408 Request Timeout",
                    f"the request did not arrive within {seconds:g} s. Send it faster, or less.",
                )

        def _refuse(self, status: bytes, text: str) -> None:
            body = json.dumps({"error": text}).encode()
            self.transport.write(
                b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                b"Connection: close\r\n\r\n%s" % (status, len(body), body)
            )
            self.transport.close()

    return Impatient


def _without_upgrade(data: bytes) -> bytes:
    """The begin of a request without its header Upgrade, which a server may ignore.

    Java's client, for one, offers HTTP/2 so; httptools would take the body for HTTP/2.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"", head) + end + rest if _UPGRADE.search(head) else data
