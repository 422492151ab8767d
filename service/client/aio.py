"""The asynchronous client."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

import httpx
from numpy.typing import NDArray

from service.client.answers import IndexEntry, Prediction, VersionStatus
from service.client.calls import Calls, Target
from service.client.connection import settings
from service.client.exchange import AsyncExchange
from service.client.faults import failure
from service.client.retries import Policy
from service.client.sampling import read_options
from service.client.steps import Flow, Give, Line, Outcome, Send, Stream, T, Wait
from service.protocol.options import DEFAULT_SAMPLING, AskedMeasure, AskedPasses, Masks, Sampling

Array = NDArray[Any]


class AsyncClient:
    """Like `Client`, for asyncio: it has the same methods, as coroutines.

    Many calls may run concurrently in one event loop.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        timeout: float = 60.0,
        retries: int = 3,
        *,
        connections: int = 100,
        verify: ssl.SSLContext | bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """See `Client`."""
        self._calls = Calls(Policy(retries), timeout)
        self._url = url
        self._http = httpx.AsyncClient(
            **settings(url, api_key, connections), verify=verify, transport=transport
        )
        self._sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def predict(
        self,
        model: str,
        x: Any,
        passes: AskedPasses | None = None,
        seed: int | None = None,
        measures: Sequence[AskedMeasure] | None = None,
        *,
        masks: Masks = "shared",
        sampling: Sampling = DEFAULT_SAMPLING,
        inner: int = 1,
        rate_scale: float | None = None,
        sites: Sequence[str] | None = None,
        calibrated: bool | None = None,
        version: int | None = None,
        timeout: float | None = None,
        request_id: str | None = None,
    ) -> Prediction:
        """See `Client.predict`."""
        options = read_options(
            passes=passes,
            seed=seed,
            measures=measures,
            masks=masks,
            sampling=sampling,
            inner=inner,
            rate_scale=rate_scale,
            sites=sites,
            calibrated=calibrated,
        )
        return await self._run(
            self._calls.predict(Target(model, version), x, options, timeout, request_id)
        )

    def stream(
        self,
        model: str,
        x: Any,
        passes: AskedPasses | None = None,
        seed: int | None = None,
        measures: Sequence[AskedMeasure] | None = None,
        *,
        masks: Masks = "shared",
        sampling: Sampling = DEFAULT_SAMPLING,
        inner: int = 1,
        rate_scale: float | None = None,
        sites: Sequence[str] | None = None,
        calibrated: bool | None = None,
        version: int | None = None,
        timeout: float | None = None,
        request_id: str | None = None,
    ) -> AsyncIterator[Prediction]:
        """See `Client.stream`; for `async for`."""
        options = read_options(
            passes=passes,
            seed=seed,
            measures=measures,
            masks=masks,
            sampling=sampling,
            inner=inner,
            rate_scale=rate_scale,
            sites=sites,
            calibrated=calibrated,
        )
        return self._stream(
            self._calls.stream(Target(model, version), x, options, timeout, request_id)
        )

    async def predict_deterministic(
        self,
        model: str,
        x: Any,
        *,
        version: int | None = None,
        timeout: float | None = None,
        request_id: str | None = None,
    ) -> dict[str, Array]:
        """See `Client.predict_deterministic`."""
        target = Target(model, version)
        return await self._run(self._calls.predict_deterministic(target, x, timeout, request_id))

    async def models(self) -> dict[str, list[VersionStatus]]:
        """See `Client.models`."""
        return await self._run(self._calls.models())

    async def model(self, name: str, version: int | None = None) -> dict[str, Any]:
        """See `Client.model`."""
        return await self._run(self._calls.model(Target(name, version)))

    async def is_live(self) -> bool:
        """See `Client.is_live`."""
        return await self._run(self._calls.is_up("live"))

    async def is_ready(self) -> bool:
        """See `Client.is_ready`."""
        return await self._run(self._calls.is_up("ready"))

    async def wait_until_ready(self, timeout: float = 60.0) -> None:
        """See `Client.wait_until_ready`."""
        await self._run(self._calls.wait_until_ready(timeout))

    async def load(self, name: str, *, timeout: float | None = None) -> None:
        """See `Client.load`."""
        await self._run(self._calls.control(name, "load", timeout))

    async def unload(self, name: str, *, timeout: float | None = None) -> None:
        """See `Client.unload`."""
        await self._run(self._calls.control(name, "unload", timeout))

    async def index(self, ready: bool = False) -> list[IndexEntry]:
        """See `Client.index`."""
        return await self._run(self._calls.index(ready))

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _run(self, flow: Flow[T]) -> T:
        outcome: Outcome = None
        async with aclosing(AsyncExchange(self._http)) as exchange:
            while True:
                try:
                    step = flow.send(outcome)
                except StopIteration as end:
                    found: T = end.value
                    return found
                outcome = await self._do(step, exchange)

    async def _stream(self, stream: Stream[T]) -> AsyncIterator[T]:
        outcome: Outcome = None
        async with aclosing(AsyncExchange(self._http)) as exchange:
            while True:
                try:
                    step = stream.send(outcome)
                except StopIteration:
                    return
                if isinstance(step, Give):
                    yield step.value
                    outcome = None
                else:
                    outcome = await self._do(step, exchange)

    async def _do(self, step: Send | Line | Wait, exchange: AsyncExchange) -> Outcome:
        if isinstance(step, Wait):
            await self._sleep(step.seconds)
            return None
        try:
            return await exchange.do(step)
        except (httpx.HTTPError, TimeoutError) as error:
            return failure(error, self._url)
