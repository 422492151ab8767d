"""Progress and timing of an evaluation."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from service.evaluation.document import Timing

#: Is told a stage ("passes" or "bootstrap"), how much of it is done, and how much there is.
Progress: TypeAlias = Callable[[str, int, int], None]


@dataclass
class Work:
    """What has been done.

    Attributes:
        resamples: that will be made.
        tell: see `Progress`.
        samples: rows × passes that will run.
    """

    resamples: int
    tell: Progress | None = None
    samples: int = 0
    _samples: int = 0
    _resamples: int = 0
    _seconds: dict[str, float] = field(default_factory=dict)
    _began: float = field(default_factory=time.perf_counter)

    def ran(self, samples: int) -> None:
        """Count samples."""
        self._samples += samples
        if self.tell is not None:
            self.tell("passes", self._samples, self.samples)

    def resampled(self, resamples: int) -> None:
        """Count resamples."""
        self._resamples += resamples
        if self.tell is not None:
            self.tell("bootstrap", self._resamples, self.resamples)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time inside to a stage."""
        began = time.perf_counter()
        yield
        self._seconds[stage] = self._seconds.get(stage, 0.0) + time.perf_counter() - began

    def timing(self) -> Timing:
        """Of everything so far; the time of `metrics` is inside of that of the passes."""
        seconds = self._seconds
        metrics = seconds.get("metrics", 0.0)
        return Timing(
            passes=seconds.get("runs", 0.0) - metrics,
            metrics=metrics,
            bootstrap=seconds.get("bootstrap", 0.0),
            total=time.perf_counter() - self._began,
            samples=self._samples,
        )
