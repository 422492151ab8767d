"""Batches of jobs, which run in time slices, and the duration of these time slices."""

import math
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from service.inference.jobs import Job
from service.inference.sampler import Sampler
from service.inference.sizes import Sizes
from service.runtime.engine import Stop

#: Target duration of a time slice in seconds: short for waiting requests, but long compared with
#: its overhead. The first of a batch may take twice as long, so that most batches need only one.
TIME_SLICE = 0.025


@dataclass(eq=False)
class Ticket:
    """A submitted job.

    Attributes:
        job: what to run.
        sampler: the sampler that runs it.
        label: model and version, for metrics.
        deadline: on the monotonic clock.
        cost: predicted seconds that it takes alone, at its arrival.
        future: done when the job is; its exception is the reason of a failure.
        arrived, began, ended: times on the monotonic clock.
        computing: total seconds of its time slices.
    """

    job: Job
    sampler: Sampler
    label: tuple[str, ...] = ()
    deadline: float = math.inf
    cost: float = 0.0
    future: "Future[None]" = field(default_factory=Future)
    arrived: float = field(default_factory=time.monotonic)
    began: float = math.nan
    ended: float = math.nan
    computing: float = 0.0


@dataclass(frozen=True)
class TimeSlice:
    """A finished time slice: `passes` of `rows` rows of `jobs` jobs.

    `first` is whether it was the batch's first. It took `seconds`; `foreseen` were predicted.
    """

    sampler: Sampler
    label: tuple[str, ...]
    first: bool
    jobs: int
    rows: int
    passes: int
    seconds: float
    foreseen: float


class Batch:
    """Jobs of one sampler that run together. The batch is the `Pace` of their steps."""

    def __init__(self, tickets: Sequence[Ticket]) -> None:
        """Make a batch of one or more jobs; nothing runs yet."""
        self.tickets = list(tickets)
        self.sampler = tickets[0].sampler
        self.cost = sum(ticket.cost for ticket in tickets)
        self.deadline = min(ticket.deadline for ticket in tickets)
        self.is_long = self.cost > 2 * TIME_SLICE and len(tickets) == 1
        self._label = tickets[0].label
        self._sizes: Sizes | None = None  # of the last step, as its rows
        self._rows = 1
        self._begun = False
        self._stop = Stop()
        self._steps = self.sampler.run([ticket.job for ticket in tickets], self)

    def rows(self, sizes: Sizes) -> int:
        """Maximum number of rows of a step (see `Pace`)."""
        speed = self.sampler.speed
        return speed.rows_in(sizes, self._seconds) if speed.known else 1

    def samples(self, sizes: Sizes) -> int:
        """Maximum number of samples (rows × passes) of a step."""
        speed = self.sampler.speed
        return speed.samples_in(sizes, self._seconds) if speed.known else 1

    @property
    def left(self) -> float:
        """Predicted seconds for the remaining work."""
        if self._sizes is None:
            return self.cost
        passes = sum(ticket.job.left for ticket in self.tickets) / self._rows
        return self.sampler.speed.seconds_for(
            self._sizes, 0, round(self._sizes.work(self._rows, 1) * passes)
        )

    @property
    def _seconds(self) -> float:
        return TIME_SLICE if self._begun else 2 * TIME_SLICE

    def step(self) -> TimeSlice:
        """Run a chunk, together with the trunk that it needs if that is short."""
        jobs, seconds, foreseen = len(self.tickets), 0.0, 0.0
        speed = self.sampler.speed
        while True:
            start = time.perf_counter()
            step = self._stop.over(next, self._steps, None)
            took = time.perf_counter() - start
            seconds += took
            if step:
                self._sizes, self._rows = step.sizes, step.rows
                if speed.known:
                    work = step.sizes.work(step.rows, step.passes)
                    foreseen += speed.seconds_for(step.sizes, step.trunk_rows, work)
                speed.learn(step, took)
            if step is None or step.passes or seconds > TIME_SLICE:
                break
        for ticket in self.tickets:
            ticket.computing += seconds
        rows, passes = (step.rows, step.passes) if step else (0, 0)
        first, self._begun = not self._begun, True
        return TimeSlice(self.sampler, self._label, first, jobs, rows, passes, seconds, foreseen)

    def stop_if_forgotten(self) -> None:
        """Terminate its run if no client waits for any of its jobs."""
        if all(ticket.job.fault is not None for ticket in self.tickets):
            self._stop.set()

    def take_ended(self) -> list[Ticket]:
        """Remove and return the jobs that are done."""
        ended = [t for t in self.tickets if t.job.done or t.job.fault is not None]
        self.tickets = [t for t in self.tickets if t not in ended]
        if not self.tickets:
            # It refers to this batch, and holds the draws of the last chunk: they would
            # stay until Python's collector comes to such circles.
            self._steps.close()
        return ended
