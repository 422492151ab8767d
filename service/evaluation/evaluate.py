"""Evaluates a model: runs all settings, compares them with targets, and writes the document."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from numpy.typing import NDArray

Array = NDArray[Any]
#: Is told a stage ("passes" or "bootstrap"), how much of it is done, and how much there is.
Progress: TypeAlias = Callable[[str, int, int], None]

#: Numbers of passes of the curve, as far as they are compared.
_CURVE = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
#: Probabilities of intervals of a regression.
_INTERVALS = (0.5, 0.9, 0.95)
#: Rows from which on warnings of few rows end.
_FEW = 200


@dataclass
class _Work:
    """What has been done, for progress and timing."""

    total: int
    tell: Progress | None
    samples: int = 0
    resamples: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def ran(self, samples: int) -> None:
        """Count samples."""
        self.samples += samples
        if self.tell is not None:
            self.tell("passes", self.samples, self.total)

    def timed(self, stage: str, since: float) -> float:
        """Add the time since then to a stage, and return the present."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - since
        return now
