"""What waits and what has begun: whose time slice is next, and when all of it will be done.

Two rules keep goodput, the number of answers that come in time, near what the machine can do
however much more is asked of it:
- A long job begins only while it and those that have begun will end before their deadlines. All
  at once would share the machine and miss their deadlines together.
- A job that cannot end in time, by what lies before it, is refused when it comes; and if that
  turns out later, it ends before it has begun and not when its time is over.

Short jobs, of one time slice, have a queue of their own, and every second slice.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.errors import DeadlineError, QueueFullError
from service.inference.jobs import SampleJob
from service.scheduling.batch import TURN, Batch, Ticket, Turn

#: Long jobs that share the machine. Each holds memory, and each makes the others later.
_MOST_BEGUN = 4
#: They share it as long as each would end in this part of its time: what was foreseen is not
#: sure, and jobs that end together are late together.
_SLACK = 2.0
#: A job is taken in if it would be done in this part of its time.
_SURE = 0.8
#: A job of so many seconds is done in its first time slice.
_SHORT = 2 * TURN
#: Seconds that a batch of several takes at the most: the trunk of all is one slice.
_TOGETHER = 4 * TURN


@dataclass(frozen=True)
class Batching:
    """How jobs that wait are put together.

    Attributes:
        rows: most rows of a batch; 1 keeps every job by itself.
        delay: seconds that a job waits for others while nothing else runs.
    """

    rows: int = 64
    delay: float = 0.0


class Drag:
    """How much longer work takes than was foreseen: what else runs, and what runs together."""

    def __init__(self) -> None:
        self.value = 1.0

    def learn(self, seconds: float, foreseen: float) -> None:
        """Take in how long something took; one hiccup does not count for much."""
        if foreseen > 0:
            self.value += 0.05 * (min(max(seconds / foreseen, 0.1), 4.0) - self.value)


class Backlog:
    """Not safe to use from several threads."""

    def __init__(self, batching: Batching) -> None:
        self._batching = batching
        self._short: deque[Ticket] = deque()  # had no turn yet, in the order they came
        self._long: deque[Ticket] = deque()
        self._short_going: deque[Batch] = deque()  # between two turns
        self._long_going: deque[Batch] = deque()
        self._begun: list[Batch] = []  # those, and the ones that run
        self._short_next = True
        self._short_drag, self._long_drag = Drag(), Drag()
        self._long_since: float | None = None  # when long jobs had their last turn

    @property
    def waiting(self) -> int:
        """Jobs that had no turn yet."""
        return len(self._short) + len(self._long)

    @property
    def seconds(self) -> float:
        """How long all of it will take."""
        short = sum(ticket.cost for ticket in self._short) * self._short_drag.value
        begun = sum(batch.left for batch in self._begun)
        return short + (begun + sum(t.cost for t in self._long)) * self._long_drag.value

    def add(self, ticket: Ticket) -> None:
        """Take in a job.

        Raises:
            DeadlineError: its time is shorter than its work.
            QueueFullError: its time will be over before it is done.
        """
        left = ticket.deadline - time.monotonic()
        if ticket.cost > left:
            raise _too_long(ticket, left)
        until = self._until_done(ticket)
        if until > _SURE * left and self._begun:
            raise QueueFullError(
                f"the answer would be there in about {until:.1f} s, for other requests are before "
                f"it, and it has {left:.1f} s. Send it again in a while.",
                max(1, min(60, round(until - left))),
            )
        (self._short if ticket.cost <= _SHORT else self._long).append(ticket)

    def _until_done(self, ticket: Ticket) -> float:
        if ticket.cost > _SHORT:
            return self.seconds + ticket.cost * self._long_drag.value
        work = (sum(t.cost for t in self._short) + ticket.cost) * self._short_drag.value
        return TURN + 2 * work if self._begun or self._long else work

    def remove(self, ticket: Ticket) -> bool:
        """Forget a job; returns whether it waited."""
        for waiting in (self._short, self._long):
            if ticket in waiting:
                waiting.remove(ticket)
                return True
        return False

    def batch_of(self, ticket: Ticket) -> Batch | None:
        """The batch that has begun with this job."""
        return next((batch for batch in self._begun if ticket in batch.tickets), None)

    def take_waiting(self) -> list[Ticket]:
        """All that wait, which the backlog then forgets."""
        taken = [*self._short, *self._long]
        self._short.clear()
        self._long.clear()
        return taken

    def take_late(self) -> Iterator[tuple[Ticket, DeadlineError]]:
        """Those that are next and cannot end in time; they are forgotten."""
        now = time.monotonic()
        for waiting, drag in ((self._short, self._short_drag), (self._long, self._long_drag)):
            while waiting and waiting[0].deadline - now < waiting[0].cost * drag.value:
                late = waiting.popleft()
                yield late, _too_long(late, late.deadline - now)

    def next(self) -> Batch | None:
        """Whose time slice is next; None: nobody's yet."""
        if self._long and self._may_begin(self._long[0]):
            self._long_going.append(self.begin([self._long.popleft()]))
        if (self._short_next or not self._long_going) and (batch := self._next_short()):
            self._short_next = False
            return batch
        self._short_next = True
        return self._long_going.popleft() if self._long_going else None

    def _next_short(self) -> Batch | None:
        """One that has begun comes first, or those would be ever more."""
        if self._short_going:
            return self._short_going.popleft()
        return self.begin(self._gather()) if self._short and self._gathered() else None

    def _go_on(self, batch: Batch) -> None:
        (self._long_going if batch.is_long else self._short_going).append(batch)

    def patience(self) -> float | None:
        """Seconds until something may happen by itself; None: nothing will."""
        if not self._short:
            return None
        return max(0.0, self._short[0].arrived + self._batching.delay - time.monotonic())

    def begin(self, tickets: Sequence[Ticket]) -> Batch:
        """A batch of jobs, which is now among those that have begun."""
        now = time.monotonic()
        for ticket in tickets:
            ticket.began = min(ticket.began, now) if ticket.began == ticket.began else now
        self._begun.append(batch := Batch(tickets))
        return batch

    def ran(self, batch: Batch, turn: Turn, queued: bool = True) -> None:
        """A batch had a turn; `queued`, it waits for its next if it has jobs that are not done."""
        now = time.monotonic()
        if batch.is_long:
            before = now - turn.seconds if self._long_since is None else self._long_since
            self._long_drag.learn(now - before, turn.foreseen)
        elif turn.first:
            self._short_drag.learn(turn.seconds, batch.cost)
        if not batch.tickets:
            self._begun.remove(batch)
        elif queued:
            self._go_on(batch)
        if not any(batch.is_long for batch in self._begun):
            self._long_since = None
        elif batch.is_long:
            self._long_since = now

    def failed(self, batch: Batch, alone: Sequence[Ticket]) -> None:
        """A batch is over, and some of its jobs get another try, each by itself."""
        self._begun.remove(batch)
        for ticket in alone:
            self._go_on(self.begin([ticket]))

    def _may_begin(self, ticket: Ticket) -> bool:
        """Whether a long job can share the machine with those that have begun."""
        begun = [(batch.left, batch.deadline) for batch in self._begun if batch.is_long]
        if not begun:
            return True
        if len(begun) >= _MOST_BEGUN:
            return False
        now = time.monotonic()
        jobs = [*begun, (ticket.cost, ticket.deadline)]
        # Whoever needs less than a job is done before it, taking turns with it.
        return all(
            _SLACK * self._long_drag.value * sum(min(left, other) for other, _ in jobs)
            <= deadline - now
            for left, deadline in jobs
        )

    def _gathered(self) -> bool:
        """Whether the first in the queue has waited for company as long as it should."""
        delay, rows = self._batching.delay, self._batching.rows
        if not delay or rows == 1 or time.monotonic() >= self._short[0].arrived + delay:
            return True
        return sum(ticket.job.count for ticket in self._short) >= rows

    def _gather(self) -> list[Ticket]:
        """The first short one in the queue, and the others that join it."""
        together, rest = [self._short.popleft()], deque[Ticket]()
        for ticket in self._short:
            (together if self._joins(together, ticket) else rest).append(ticket)
        self._short = rest
        return together

    def _joins(self, batch: Sequence[Ticket], ticket: Ticket) -> bool:
        first, sampler = batch[0], ticket.sampler
        sizes, speed = sampler.sizing.known(first.job.rows), sampler.speed
        if sampler is not first.sampler or sizes is None:
            return False
        jobs = [*(t.job for t in batch), ticket.job]
        rows = sum(job.count for job in jobs)
        samples, full = rows * max(job.passes for job in jobs), sampler.tuning.full_batch
        return (
            _is_small(first)
            and _is_small(ticket)
            and rows <= min(self._batching.rows, sizes.rows, speed.rows_in(sizes, _TOGETHER))
            and samples <= min(full, sizes.samples, speed.samples_in(sizes, _TOGETHER))
            and sampler.joins(first.job, ticket.job)
        )


def _too_long(ticket: Ticket, left: float) -> DeadlineError:
    return DeadlineError(
        f"the answer would take about {ticket.cost:.1f} s by itself, and {max(left, 0):.1f} s are "
        "left for it, so it was not begun. Ask for fewer passes or rows, or allow more time."
    )


def _is_small(ticket: Ticket) -> bool:
    job, tuning = ticket.job, ticket.sampler.tuning
    repeated = isinstance(job, SampleJob) and job.repeats_masks
    return job.count * job.passes <= (tuning.most_repeated if repeated else tuning.most_joined)
