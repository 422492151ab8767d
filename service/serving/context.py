"""What the data plane, the log, the metrics and the traces know of one request."""

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from service.errors import DeadlineError, InputError
from service.manifest import Manifest
from service.protocol.prediction import Prediction
from service.scheduling.batch import Ticket


@dataclass(eq=False)
class Context:
    """One request of any protocol.

    Attributes:
        id: in the log and the traces.
        disconnected: returns once the client is gone; None: nobody can tell.
        arrived: when its last byte was there, in seconds of the monotonic clock.
        seconds: its deadline is so long after `arrived`.
        model, version: that it reached; empty where it reached none.
        held: bytes that it holds of the memory for pending requests.
        tickets: of its jobs that came to an answer.
        answer: what they came to, and the manifest that says of what kind it is.
    """

    id: str = ""
    disconnected: Callable[[], Awaitable[object]] | None = None
    arrived: float = field(default_factory=time.monotonic)
    seconds: float = math.inf
    model: str = ""
    version: str = ""
    held: int = 0
    tickets: list[Ticket] = field(default_factory=list)
    answer: tuple[Manifest, Prediction] | None = None

    @property
    def deadline(self) -> float:
        """On the monotonic clock."""
        return self.arrived + self.seconds

    @property
    def label(self) -> tuple[str, str]:
        """Model and version, as metrics name them."""
        return self.model, self.version

    def begin(self, most: float) -> None:
        """Its last byte is here; the server allows so many seconds from now on."""
        self.arrived, self.seconds = time.monotonic(), most

    def limit(self, seconds: float | None) -> None:
        """Take the client's own limit; None: it has none.

        Raises:
            InputError: it is more than the server allows, or not positive.
            DeadlineError: it is over.
        """
        if seconds is not None:
            if not 0 < seconds <= self.seconds:
                raise InputError(
                    f"timeout is {seconds:g} s; it must be more than 0 and at most "
                    f"{self.seconds:g}, this server's own limit."
                )
            self.seconds = seconds
        self.require_time()

    def left(self) -> float:
        """Seconds until its deadline."""
        return self.deadline - time.monotonic()

    def require_time(self) -> None:
        """Check that its deadline is not over.

        Raises:
            DeadlineError: it is.
        """
        if self.left() <= 0:
            raise self.too_late()

    def too_late(self) -> DeadlineError:
        """What is said when it is over."""
        return DeadlineError(
            f"the answer was not there within {self.seconds:g} s, and the work was stopped. Ask "
            "for fewer passes or rows, or allow more time."
        )
