"""The context of a request, for the data plane, logs, metrics and traces."""

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from service.errors import DeadlineError, InputError
from service.inference.terms import CalibratedTerms
from service.manifest import Manifest
from service.protocol.prediction import Prediction
from service.scheduling.batch import Ticket


@dataclass(eq=False)
class Context:
    """One request of any protocol.

    Attributes:
        id: request id, for logs and traces.
        disconnected: returns when the client has disconnected; None: unknown.
        arrived: time of its last byte, in seconds of the monotonic clock.
        seconds: time from `arrived` to its deadline.
        model, version: the model that it reached; empty if none.
        held: bytes that it holds of the memory for in-flight requests.
        tickets: of its answered jobs.
        answer: the prediction, and the manifest of its model.
        calibrated: the prediction, and the terms of its model's calibration if that holds for it.
        fault: what ended a streamed answer after it had begun.
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
    calibrated: tuple[CalibratedTerms, Prediction] | None = None
    fault: Exception | None = None

    @property
    def deadline(self) -> float:
        """On the monotonic clock."""
        return self.arrived + self.seconds

    @property
    def label(self) -> tuple[str, str]:
        """Model and version, as labels of metrics."""
        return self.model, self.version

    def begin(self, seconds: float) -> None:
        """Start the deadline, of `seconds`, when the last byte of the request has arrived."""
        self.arrived, self.seconds = time.monotonic(), seconds

    def limit(self, seconds: float | None) -> None:
        """Apply the timeout of the client; None: it has none.

        Raises:
            InputError: it is more than the server allows, or not positive.
            DeadlineError: it has passed.
        """
        if seconds is not None:
            if not 0 < seconds <= self.seconds:
                raise InputError(
                    f"timeout is {seconds:g} s; it must be more than 0 and at most "
                    f"{self.seconds:g}, this server's limit."
                )
            self.seconds = seconds
        self.require_time()

    def left(self) -> float:
        """Seconds until its deadline."""
        return self.deadline - time.monotonic()

    def require_time(self) -> None:
        """Check that the deadline has not passed.

        Raises:
            DeadlineError: it has.
        """
        if self.left() <= 0:
            raise self.too_late()

    def too_late(self) -> DeadlineError:
        """The error of a missed deadline."""
        return DeadlineError(
            f"the answer was not ready within {self.seconds:g} s, and the work was stopped. "
            f"Request fewer passes or rows, or allow more time."
        )
