"""Memory for bodies and answers: of all requests together, not only of each."""

from service.errors import QueueFullError, TooLargeError
from service.serving.context import Context


class PendingMemory:
    """At most so many bytes are held at a time. For the event loop's thread alone."""

    def __init__(self, maximum: int = 512 << 20) -> None:
        """`maximum` bytes."""
        self._maximum = maximum
        self._held = 0

    def hold(self, context: Context, size: int) -> None:
        """Hold `size` bytes more for a request.

        Raises:
            TooLargeError: there never is room for them.
            QueueFullError: there is none now.
        """
        if context.held + size > self._maximum:
            raise TooLargeError(
                f"its rows and its answer take about {context.held + size} bytes, and this "
                f"server takes at most {self._maximum}. Send fewer rows at a time."
            )
        if self._held + size > self._maximum:
            raise QueueFullError(
                f"the requests on their way hold {self._held} bytes, and this server takes at "
                f"most {self._maximum}. Send it again in a while.",
                retry_after=1,
            )
        self._held += size
        context.held += size

    def release(self, context: Context) -> int:
        """The request is over; returns how many bytes it held."""
        held, context.held = context.held, 0
        self._held -= held
        return held
