"""Estimates the duration of a model's passes from every step that runs.

Times are stored per byte of a sample's memory, not per sample: with a dynamic axis the samples
of one model differ in size (measured from 8 to 512 steps: 2.9 to 3.7 ns per byte for an LSTM,
2.0 to 3.5 for attention, whose bytes grow with the square). Inner masks change what a byte costs:
each number of them has its own time, and begins with that of one.
"""

import math
import time
from collections.abc import Iterator
from typing import NamedTuple

from service.inference.sizes import Sizes
from service.runtime.tuning import ON_CPU, Tuning

#: Number of steps after which a request may be refused because of its predicted cost.
_SURE = 8


class Step(NamedTuple):
    """One step of a sampler: its rows in the trunk, and its passes."""

    sizes: Sizes
    rows: int
    passes: int
    trunk_rows: int = 0


class Speed:
    """The time of a model's recent steps, per row in the trunk and per sample in the tail.

    The fastest steps count: the first runs of a shape take longer, and so do runs beside others.
    """

    def __init__(self, tuning: Tuning = ON_CPU) -> None:
        """`tuning` of the execution provider."""
        self._tuning = tuning
        self._row = math.inf  # seconds a byte
        self._samples = dict[int, float]()  # the same, by the number of inner masks
        self._steps = 0

    @property
    def known(self) -> bool:
        """Whether any pass has run."""
        return bool(self._samples)

    @property
    def sure(self) -> bool:
        """Whether enough steps have run for a reliable estimate."""
        return self._steps >= _SURE

    def learn(self, step: Step, seconds: float) -> None:
        """Update the estimate with the duration of a step."""
        samples, sizes = step.sizes.work(step.rows, step.passes), step.sizes
        tuning, fixed = self._tuning, self._tuning.step_seconds
        tail = 0.0
        if samples:
            if samples >= tuning.few_samples or seconds > tuning.hiccup_seconds or not self.known:
                self._steps += 1
                each = max(seconds - fixed, seconds / 10) / (samples * sizes.sample)
                # A step with a trunk gives an upper limit for its samples.
                growth = 1.0 if step.trunk_rows else 1.1
                # Several masks in a pass take at most as long as so many passes.
                most = sizes.inner * self._samples.get(1, math.inf)
                before = self._samples.get(sizes.inner, most)
                self._samples[sizes.inner] = min(each, before * growth)
            tail = samples * sizes.sample * self._sample(sizes)
        if step.trunk_rows:
            rest = max(seconds - fixed - tail, seconds / (100 if samples else 10))
            self._row = min(rest / (step.trunk_rows * sizes.row), 1.1 * self._row)

    def seconds_for(self, sizes: Sizes, rows: int, samples: int) -> float:
        """Seconds for rows in the trunk and for the work of samples in the tail (see `Sizes`)."""
        row = self._row if self._row < math.inf else 0.0
        fixed = self._tuning.step_seconds
        sample = self._sample(sizes)
        return fixed + rows * sizes.row * row + samples * sizes.sample * sample

    def samples_in(self, sizes: Sizes, seconds: float) -> int:
        """Number of samples that take this many seconds; at least one."""
        return max(1, int(seconds / (sizes.sample * self._sample(sizes))))

    def rows_in(self, sizes: Sizes, seconds: float) -> int:
        """Number of rows, each with one pass, that take this many seconds; at least one.

        If rows share the draws of a pass, at least as many rows as these draws cost: with fewer
        rows at a time, they would be drawn too often.
        """
        fixed = self._tuning.step_seconds
        each, draws = (self.seconds_for(sizes, rows, 1) - fixed for rows in (1, 0))
        return max(1, int((seconds - sizes.shared * draws) / each), sizes.shared)

    def _sample(self, sizes: Sizes) -> float:
        """Seconds a byte of passes with so many inner masks; infinity if no pass has run."""
        return self._samples.get(sizes.inner, self._samples.get(1, math.inf))


def learned(steps: Iterator[Step], speed: Speed) -> Iterator[Step]:
    """Steps, from whose durations a speed is learned."""
    while True:
        start = time.perf_counter()
        step = next(steps, None)
        if step is None:
            return
        speed.learn(step, time.perf_counter() - start)
        yield step
