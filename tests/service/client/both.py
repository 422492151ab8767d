"""Both clients behind one interface, so that one test covers both."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from service.client import AsyncClient, Client

KINDS = ("blocking", "awaiting")
on_both = pytest.mark.parametrize("kind", KINDS)


class Awaited:
    """An AsyncClient whose methods block."""

    def __init__(self, client: AsyncClient, runner: "asyncio.Runner") -> None:
        self.client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        return lambda *args, **kwargs: self._runner.run(method(*args, **kwargs))

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        return self._each(self.client.stream(*args, **kwargs))

    def _each(self, found: AsyncIterator[Any]) -> Iterator[Any]:
        async def following() -> Any:
            return await anext(found, None)

        async def close() -> None:
            await found.aclose()  # type: ignore[attr-defined]

        try:
            while (one := self._runner.run(following())) is not None:
                yield one
        finally:
            self._runner.run(close())


@contextmanager
def asking(kind: str, url: str, **settings: Any) -> Iterator[Any]:
    """A client of the given kind."""
    if kind == "blocking":
        with Client(url, **settings) as client:
            yield client
        return
    with asyncio.Runner() as runner:
        client_of_loop = AsyncClient(url, **settings)
        try:
            yield Awaited(client_of_loop, runner)
        finally:
            runner.run(client_of_loop.close())


def waits_of(client: Any) -> list[float]:
    """Let `client` record the time of each wait instead of waiting."""
    waits: list[float] = []
    if isinstance(client, Client):
        client._sleep = waits.append
        return waits

    async def note(seconds: float) -> None:
        waits.append(seconds)

    client.client._sleep = note
    return waits
