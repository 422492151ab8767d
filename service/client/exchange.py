"""Requests of one call and their answers, whole or line by line, over httpx."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import httpx

from service.client.connection import arguments, reply_of
from service.client.steps import Line, Reply, Send


class Exchange:
    """Of the synchronous client. Closed in the middle of an answer, it ends the connection."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._lines: Iterator[Reply]

    def do(self, step: Send | Line) -> Reply:
        """The outcome of a step.

        Raises:
            httpx.HTTPError: there is none; a timeout after the step's seconds.
        """
        if isinstance(step, Send):
            self.close()
            end = time.monotonic() + step.seconds
            request = self._http.build_request(**arguments(step))
            self._response = response = self._http.send(request, stream=True)
            if not step.request.by_line or response.status_code != 200:
                return reply_of(response, b"".join(_chunks(response, end)))
            self._lines = _lines(response, end)
        return next(self._lines)

    def close(self) -> None:
        """Close the answer."""
        if self._response is not None:
            self._response.close()


def _chunks(response: httpx.Response, end: float) -> Iterator[bytes]:
    """The body; the deadline is checked between its chunks."""
    for chunk in response.iter_bytes():
        yield chunk
        if time.monotonic() > end:
            raise httpx.ReadTimeout("the answer takes too long", request=response.request)


def _lines(response: httpx.Response, end: float) -> Iterator[Reply]:
    rest = b""
    for chunk in _chunks(response, end):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (reply_of(response, line) for line in lines)
    raise _cut_off(response)


class AsyncExchange:
    """Of the asynchronous client, like `Exchange`."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._lines: AsyncIterator[Reply]

    async def do(self, step: Send | Line) -> Reply:
        """See `Exchange.do`."""
        async with asyncio.timeout(step.seconds):
            if isinstance(step, Send):
                await self.aclose()
                request = self._http.build_request(**arguments(step))
                self._response = response = await self._http.send(request, stream=True)
                if not step.request.by_line or response.status_code != 200:
                    return reply_of(response, await response.aread())
                self._lines = _lines_of(response)
            return await anext(self._lines)

    async def aclose(self) -> None:
        """See `Exchange.close`."""
        if self._response is not None:
            await self._response.aclose()


async def _lines_of(response: httpx.Response) -> AsyncIterator[Reply]:
    rest = b""
    async for chunk in response.aiter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield reply_of(response, line)
    raise _cut_off(response)


def _cut_off(response: httpx.Response) -> httpx.RemoteProtocolError:
    """The error of an answer that ends as if it were whole, in which a line is still awaited."""
    return httpx.RemoteProtocolError("the answer was cut off", request=response.request)
