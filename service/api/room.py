"""Memory for bodies and answers: of all requests together, not only of each."""

from starlette.types import Scope

from service.errors import QueueFullError, TooLargeError

#: Where a request's scope says how many bytes it holds.
_HELD = "mcdropout.bytes"


class Room:
    """So many bytes may be held at a time. For the event loop's thread alone."""

    def __init__(self, most: int = 512 << 20) -> None:
        """`most` bytes."""
        self._most = most
        self._taken = 0

    def take(self, scope: Scope, size: int) -> None:
        """Hold bytes more for a request.

        Raises:
            TooLargeError: there never is room for them.
            QueueFullError: there is none now.
        """
        if scope.get(_HELD, 0) + size > self._most:
            raise TooLargeError(
                f"its rows and its answer take about {scope.get(_HELD, 0) + size} bytes, and this "
                f"server takes at most {self._most}. Send fewer rows at a time."
            )
        if self._taken + size > self._most:
            raise QueueFullError(
                f"the requests on their way hold {self._taken} bytes, and this server takes at "
                f"most {self._most}. Send it again in a while.",
                retry_after=1,
            )
        self._taken += size
        scope[_HELD] = scope.get(_HELD, 0) + size

    def leave(self, scope: Scope) -> int:
        """The request is over; returns how many bytes it held."""
        held: int = scope.pop(_HELD, 0)
        self._taken -= held
        return held
