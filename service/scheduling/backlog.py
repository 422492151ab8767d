"""The backlog: which batch gets the next time slice, and when all jobs will be done.

Two rules keep goodput, the number of answers within their deadlines, near the capacity of the
machine under any load:
- A long job begins only if it and those that have begun will meet their deadlines. If all began
  at once, they would share the machine and miss their deadlines together.
- A job that would miss its deadline because of the work before it is refused on arrival. If this
  becomes certain only later, the job ends before it begins, not at its deadline.

Short jobs, of one time slice, have their own queue, and get every second time slice.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.errors import DeadlineError, QueueFullError
from service.inference.jobs import SampleJob
from service.scheduling.batch import TIME_SLICE, Batch, Ticket, TimeSlice

#: Maximum number of long jobs that share the machine. Each takes memory and delays the others.
_MAX_BEGUN = 4
#: They share it if each would end within this share of its time, since predictions are
#: uncertain, and jobs that end together are late together.
_SLACK = 2.0
#: A job is admitted if it would be done within this share of its time.
_SURE = 0.8
#: Maximum seconds of a job that ends in its first time slice.
_SHORT = 2 * TIME_SLICE
#: Maximum seconds of a batch of several jobs: the trunk of all is one slice.
_TOGETHER = 4 * TIME_SLICE


@dataclass(frozen=True)
class Batching:
    """Parameters of dynamic batching.

    Attributes:
        rows: maximum rows of a batch; 1 disables batching.
        delay: maximum batching delay in seconds, which a job waits for others while idle.
    """

    rows: int = 64
    delay: float = 0.0


class Drag:
    """The ratio of measured to predicted time, which includes the effect of other processes."""

    def __init__(self) -> None:
        self.value = 1.0

    def learn(self, seconds: float, foreseen: float) -> None:
        """Update the ratio with a measurement; a single outlier has little effect."""
        if foreseen > 0:
            self.value += 0.05 * (min(max(seconds / foreseen, 0.1), 4.0) - self.value)


class Backlog:
    """The jobs that wait or run. Not thread-safe."""

    def __init__(self, batching: Batching) -> None:
        self._batching = batching
        self._short: deque[Ticket] = deque()  # no time slice yet, in order of arrival
        self._long: deque[Ticket] = deque()
        self._short_going: deque[Batch] = deque()  # between two time slices
        self._long_going: deque[Batch] = deque()
        self._begun: list[Batch] = []  # these, and the running ones
        self._short_next = True
        self._short_drag, self._long_drag = Drag(), Drag()
        self._long_since: float | None = None  # time of the last slice of a long job

    @property
    def waiting(self) -> int:
        """Number of jobs that wait for their first time slice."""
        return len(self._short) + len(self._long)

    @property
    def seconds(self) -> float:
        """Predicted time for all work, in seconds."""
        short = sum(ticket.cost for ticket in self._short) * self._short_drag.value
        begun = sum(batch.left for batch in self._begun)
        return short + (begun + sum(t.cost for t in self._long)) * self._long_drag.value

    def add(self, ticket: Ticket) -> None:
        """Admit a job.

        Raises:
            DeadlineError: it would miss its deadline even alone.
            QueueFullError: it would miss its deadline behind the other jobs.
        """
        left = ticket.deadline - time.monotonic()
        if ticket.cost > left:
            raise _too_long(ticket, left)
        until = self._until_done(ticket)
        if until > _SURE * left and self._begun:
            raise QueueFullError(
                f"the answer would take about {until:.1f} s, because other requests are ahead of "
                f"it, and its deadline is in {left:.1f} s. Retry later.",
                max(1, min(60, round(until - left))),
            )
        (self._short if ticket.cost <= _SHORT else self._long).append(ticket)

    def _until_done(self, ticket: Ticket) -> float:
        if ticket.cost > _SHORT:
            return self.seconds + ticket.cost * self._long_drag.value
        work = (sum(t.cost for t in self._short) + ticket.cost) * self._short_drag.value
        return TIME_SLICE + 2 * work if self._begun or self._long else work

    def remove(self, ticket: Ticket) -> bool:
        """Remove a waiting job; returns whether it was waiting."""
        for waiting in (self._short, self._long):
            if ticket in waiting:
                waiting.remove(ticket)
                return True
        return False

    def batch_of(self, ticket: Ticket) -> Batch | None:
        """The running batch that contains this job."""
        return next((batch for batch in self._begun if ticket in batch.tickets), None)

    def take_waiting(self) -> list[Ticket]:
        """Remove and return all waiting jobs."""
        taken = [*self._short, *self._long]
        self._short.clear()
        self._long.clear()
        return taken

    def take_late(self) -> Iterator[tuple[Ticket, DeadlineError]]:
        """Remove and return the next jobs as long as they cannot meet their deadlines."""
        now = time.monotonic()
        for waiting, drag in ((self._short, self._short_drag), (self._long, self._long_drag)):
            while waiting and waiting[0].deadline - now < waiting[0].cost * drag.value:
                late = waiting.popleft()
                yield late, _too_long(late, late.deadline - now)

    def next(self) -> Batch | None:
        """The batch that gets the next time slice; None: none yet."""
        if self._long and self._may_begin(self._long[0]):
            self._long_going.append(self.begin([self._long.popleft()]))
        if (self._short_next or not self._long_going) and (batch := self._next_short()):
            self._short_next = False
            return batch
        self._short_next = True
        return self._long_going.popleft() if self._long_going else None

    def _next_short(self) -> Batch | None:
        """Begun batches come first; otherwise their number would grow without bound."""
        if self._short_going:
            return self._short_going.popleft()
        return self.begin(self._gather()) if self._short and self._gathered() else None

    def _go_on(self, batch: Batch) -> None:
        (self._long_going if batch.is_long else self._short_going).append(batch)

    def patience(self) -> float | None:
        """Seconds until the state may change by itself; None: it will not."""
        if not self._short:
            return None
        return max(0.0, self._short[0].arrived + self._batching.delay - time.monotonic())

    def begin(self, tickets: Sequence[Ticket]) -> Batch:
        """Make a batch of jobs and add it to those that have begun."""
        now = time.monotonic()
        for ticket in tickets:
            ticket.began = min(ticket.began, now) if ticket.began == ticket.began else now
        self._begun.append(batch := Batch(tickets))
        return batch

    def ran(self, batch: Batch, time_slice: TimeSlice, queued: bool = True) -> None:
        """Record a time slice; if `queued`, the batch is queued until its jobs are done."""
        now = time.monotonic()
        if batch.is_long:
            before = now - time_slice.seconds if self._long_since is None else self._long_since
            self._long_drag.learn(now - before, time_slice.foreseen)
        elif time_slice.first:
            self._short_drag.learn(time_slice.seconds, batch.cost)
        if not batch.tickets:
            self._begun.remove(batch)
        elif queued:
            self._go_on(batch)
        if not any(batch.is_long for batch in self._begun):
            self._long_since = None
        elif batch.is_long:
            self._long_since = now

    def failed(self, batch: Batch, alone: Sequence[Ticket]) -> None:
        """End a failed batch; some of its jobs are tried again, each alone."""
        self._begun.remove(batch)
        for ticket in alone:
            self._go_on(self.begin([ticket]))

    def _may_begin(self, ticket: Ticket) -> bool:
        """Whether a long job can share the machine with those that have begun."""
        begun = [(batch.left, batch.deadline) for batch in self._begun if batch.is_long]
        if not begun:
            return True
        if len(begun) >= _MAX_BEGUN:
            return False
        now = time.monotonic()
        jobs = [*begun, (ticket.cost, ticket.deadline)]
        # In round-robin, a shorter job is done before a longer one.
        return all(
            _SLACK * self._long_drag.value * sum(min(left, other) for other, _ in jobs)
            <= deadline - now
            for left, deadline in jobs
        )

    def _gathered(self) -> bool:
        """Whether the first job in the queue has waited for the batching delay."""
        delay, rows = self._batching.delay, self._batching.rows
        if not delay or rows == 1 or time.monotonic() >= self._short[0].arrived + delay:
            return True
        return sum(ticket.job.count for ticket in self._short) >= rows

    def _gather(self) -> list[Ticket]:
        """The first short job in the queue, and those that can be batched with it."""
        together, rest = [self._short.popleft()], deque[Ticket]()
        for ticket in self._short:
            (together if self._joins(together, ticket) else rest).append(ticket)
        self._short = rest
        return together

    def _joins(self, batch: Sequence[Ticket], ticket: Ticket) -> bool:
        first, sampler = batch[0], ticket.sampler
        sizes, speed = sampler.sizing.known(first.job.rows, first.job.inner), sampler.speed
        if sampler is not first.sampler or sizes is None:
            return False
        jobs = [*(t.job for t in batch), ticket.job]
        rows = sum(job.count for job in jobs)
        samples = rows * max(job.passes for job in jobs)
        full = sampler.tuning.full_batch // first.job.inner
        return (
            _is_small(first)
            and _is_small(ticket)
            and rows <= min(self._batching.rows, sizes.rows, speed.rows_in(sizes, _TOGETHER))
            and samples <= min(full, sizes.samples, speed.samples_in(sizes, _TOGETHER))
            and sampler.joins(first.job, ticket.job)
        )


def _too_long(ticket: Ticket, left: float) -> DeadlineError:
    return DeadlineError(
        f"the answer would take about {ticket.cost:.1f} s even without other requests, and its "
        f"deadline is in {max(left, 0):.1f} s, so it was not started. Request fewer passes or "
        f"rows, or allow more time."
    )


def _is_small(ticket: Ticket) -> bool:
    job, tuning = ticket.job, ticket.sampler.tuning
    repeated = isinstance(job, SampleJob) and job.repeats_masks
    samples = job.count * job.row_samples
    return samples <= (tuning.max_repeated if repeated else tuning.max_joined)
