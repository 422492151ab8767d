"""Work that goes through many bytes leaves the event loop, so that other requests go on."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

from service.serving.context import Context

#: Work on more bytes than these takes a thread.
INLINE = 1 << 20
#: Each takes many times its bytes for a moment, and Python's lock for long.
_LARGE = CapacityLimiter(1)

P = ParamSpec("P")
T = TypeVar("T")


async def offload(
    context: Context, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """What `work` returns; where it has to go through many bytes, a thread does it.

    Args:
        context: of the request.
        size: bytes that `work` goes through.
        work, args, kwargs: what is called.

    Raises:
        DeadlineError: the request's time was over before its turn came.
    """
    if size <= INLINE:
        return work(*args, **kwargs)
    try:
        async with asyncio.timeout(context.left()):
            return await to_thread.run_sync(partial(work, *args, **kwargs), limiter=_LARGE)
    except TimeoutError as error:
        raise context.too_late() from error
