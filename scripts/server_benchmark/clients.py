"""Clients that use little CPU, since they share the machine with the server.

    python -m scripts.server_benchmark.clients URL CLIENTS SECONDS < BODIES

Each client keeps one connection, and sends the next request when it has the answer. BODIES is
a JSON list of strings. Prints {"times": [s, …], "statuses": {"200": n}, "seconds": s}.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit

import httptools
import uvloop


class Connection(asyncio.Protocol):
    """A connection whose answers are parsed by httptools; their bodies are discarded."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.done: asyncio.Future[int] | None = None

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Parse a part of an answer."""
        self.parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the waiting request."""
        if self.done and not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("the server closed"))

    def on_message_complete(self) -> None:
        """Complete the waiting request."""
        if self.done and not self.done.done():
            self.done.set_result(self.parser.get_status_code())

    async def ask(self, request: bytes) -> int:
        """Send a request; returns the status of the answer."""
        self.done = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.done


async def load(url: str, bodies: list[str], clients: int, seconds: float) -> dict[str, Any]:
    """Send requests for `seconds`; the first fifth is the warm-up, without times."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or 80
    requests = [_request(parts.path, parts.netloc, body.encode()) for body in bodies]
    times: list[float] = []
    statuses: Counter[int] = Counter()
    begin = time.perf_counter()
    counted, end = begin + seconds / 5, begin + seconds

    async def run(first: int) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, host, port)
        for request in cycle(requests[first:] + requests[:first]):
            start = time.perf_counter()
            if start >= end:
                break
            status = await connection.ask(request)
            if start >= counted:
                times.append(time.perf_counter() - start)
                statuses[status] += 1
        connection.transport.close()

    await asyncio.gather(*(run(number % len(requests)) for number in range(clients)))
    return {"times": times, "statuses": statuses, "seconds": end - counted}


def _request(path: str, host: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


if __name__ == "__main__":
    address, count, duration = sys.argv[1:]
    found = uvloop.run(load(address, json.load(sys.stdin), int(count), float(duration)))
    json.dump(found, sys.stdout)
