"""Limits the memory for bodies and answers of all in-flight requests together."""

from service.errors import QueueFullError, TooLargeError
from service.serving.context import Context


class PendingMemory:
    """A limit on the bytes held at a time. Use it only on the event loop's thread."""

    def __init__(self, maximum: int = 512 << 20) -> None:
        """`maximum` bytes."""
        self._maximum = maximum
        self._held = 0

    def hold(self, context: Context, size: int) -> None:
        """Reserve `size` further bytes for a request.

        Raises:
            TooLargeError: the request alone exceeds the limit.
            QueueFullError: all requests together exceed the limit.
        """
        if context.held + size > self._maximum:
            raise TooLargeError(
                f"its rows and its answer take about {context.held + size} bytes, and this server "
                f"allows at most {self._maximum}. Send fewer rows at a time."
            )
        if self._held + size > self._maximum:
            raise QueueFullError(
                f"the in-flight requests hold {self._held} bytes, and this server allows at most "
                f"{self._maximum}. Retry later.",
                retry_after=1,
            )
        self._held += size
        context.held += size

    def release(self, context: Context) -> int:
        """Release the bytes of a finished request; returns their number."""
        held, context.held = context.held, 0
        self._held -= held
        return held
