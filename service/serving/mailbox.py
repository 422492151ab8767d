"""Hands running estimates from the thread that runs the passes to the event loop."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from service.inference.looks import Found

#: Bytes of estimates that wait for a slow reader; beyond them only the newest is kept.
_WAITING = 1 << 20


class Estimate(NamedTuple):
    """What there is of all rows of a job, and its bytes."""

    found: Sequence[Found]
    nbytes: int


class Mailbox:
    """Estimates of one job, in order. Use all but `put` only on the event loop's thread.

    A reader that is slower than the passes skips what is outdated if that is large, so that
    memory does not grow. Small estimates are all kept; there are few, for each has twice the
    passes of the one before.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Estimate] = deque()
        self._changed = asyncio.Event()
        self._closed = False
        self._passes = 0  # of the last one

    def put(self, found: Sequence[Found]) -> None:
        """Add an estimate, from any thread."""
        with suppress(RuntimeError):  # the event loop has ended, and nobody reads
            self._loop.call_soon_threadsafe(self._add, found)

    def _add(self, found: Sequence[Found]) -> None:
        passes = max(part.passes for part in found)
        # A job that starts again after a failure comes to the same estimates again.
        if passes <= self._passes:
            return
        self._passes = passes
        size = sum(one.nbytes for part in found for one in part.summaries.values())
        self._waiting.append(Estimate(found, size))
        while len(self._waiting) > 1 and sum(each.nbytes for each in self._waiting) > _WAITING:
            self._waiting.popleft()
        self._changed.set()

    def close(self) -> None:
        """No more will come."""
        self._closed = True
        self._changed.set()

    async def __aiter__(self) -> AsyncIterator[Estimate]:
        """Those that have come, until it is closed."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._waiting:
                yield self._waiting.popleft()
            if self._closed:
                return
