"""Runs work on many bytes in a thread, so that it does not block the event loop."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

from service.serving.context import Context

#: Work on more bytes than these runs in a thread.
INLINE = 1 << 20
#: Limits concurrent work: each takes many times its bytes of memory, and holds the GIL.
_LARGE = CapacityLimiter(1)

P = ParamSpec("P")
T = TypeVar("T")


async def offload(
    context: Context, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call `work`, in a thread if it processes many bytes, and return its result.

    Args:
        context: of the request.
        size: number of bytes that `work` processes.
        work, args, kwargs: the call.

    Raises:
        DeadlineError: the request missed its deadline while it waited for a thread.
    """
    if size <= INLINE:
        return work(*args, **kwargs)
    try:
        async with asyncio.timeout(context.left()):
            return await to_thread.run_sync(partial(work, *args, **kwargs), limiter=_LARGE)
    except TimeoutError as error:
        raise context.too_late() from error
