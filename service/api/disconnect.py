"""Stop the work of a request that nobody waits for any more."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from fastapi import Request
from starlette.concurrency import run_in_threadpool

T = TypeVar("T")


async def while_connected(request: Request, work: Callable[[threading.Event], T]) -> T:
    """Run `work` in a thread; the event it gets is set when the client is gone.

    Precondition: the request's body has been read, so that its next message can
    only be the disconnect.
    """
    cancelled = threading.Event()
    working = asyncio.ensure_future(run_in_threadpool(work, cancelled))
    leaving = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            cancelled.set()
        return await working
    finally:
        cancelled.set()
        leaving.cancel()
