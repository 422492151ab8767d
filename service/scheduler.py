"""Whose passes run next: requests that wait together run together, and long ones take turns.

Waiting jobs of one model that may go through its graphs together (see `Sampler.joins`)
become a batch. A batch runs chunk after chunk, and a chunk is a turn. Turns alternate
between the batch that has waited longest for one and jobs that have had none yet, so that
- a short request waits for a chunk of the long ones, not for their end;
- those that have begun get every second turn, however many new ones come.
Nothing of this changes an answer: what a pass draws depends on its seed and its number.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.batch import TURN, Batch, Ticket, Turn
from service.errors import MCDropoutError, QueueFullError, StoppingError
from service.harmless import harmless
from service.jobs import Job
from service.sampler import Sampler

#: Seconds for which `run_now` may hold the caller up.
_NOW = 0.003
#: A batch of so many samples is as fast as a larger one, by measurement: of one row and
#: 100 passes of a dense network, 32 jobs that wait go through 2.0 times as fast together.
_FULL = 2048
#: Jobs of more samples keep the processor busy by themselves.
_MOST_JOINED = 512
#: The same where a job's rows share their masks, which joined have to be repeated for each.
_MOST_REPEATED = 96


@dataclass(frozen=True)
class Batching:
    """How jobs that wait are put together.

    Attributes:
        rows: most rows of a batch; 1 keeps every job by itself.
        delay: seconds that a job waits for others while nothing else runs.
    """

    rows: int = 64
    delay: float = 0.0


class Scheduler:
    """Runs the jobs of all models on a few threads. Safe to use from several threads."""

    def __init__(
        self,
        batching: Batching = Batching(),
        most: int = 512,
        threads: int = 1,
        on_turn: Callable[[Turn], None] = lambda turn: None,
    ) -> None:
        """Start the threads; they are daemons, and end after `close`.

        Args:
            batching: see `Batching`.
            most: so many jobs may be on their way; more are turned away.
            threads: how many run graphs at the same time.
            on_turn: called after each turn, by the thread that ran it; see `harmless`.
        """
        self._batching = batching
        self._most = most
        self._on_turn = on_turn
        self._changed = threading.Condition()
        self._waiting: deque[Ticket] = deque()  # had no turn yet, in the order they came
        self._going: deque[Batch] = deque()  # between two turns
        self._tickets: set[Ticket] = set()
        self._newcomers_next = True
        self._closed = False
        self._seconds_a_job = 0.0
        for number in range(threads):
            threading.Thread(target=self._work, name=f"passes-{number}", daemon=True).start()

    def __len__(self) -> int:
        """Jobs on their way."""
        return len(self._tickets)

    @property
    def waiting(self) -> int:
        """Jobs that had no turn yet."""
        return len(self._waiting)

    def submit(self, job: Job, sampler: Sampler, label: tuple[str, ...] = ()) -> Ticket:
        """Take in a job that has not run yet.

        Raises:
            QueueFullError: too many are on their way.
            StoppingError: after `close`.
        """
        with self._changed:
            if self._closed:
                raise StoppingError("the server is stopping and takes no more requests.")
            if len(self._tickets) >= self._most:
                raise QueueFullError(
                    f"{len(self._tickets)} requests are on their way, the most that this server "
                    "takes. Send it again in a while.",
                    max(1, min(60, math.ceil(self._seconds_a_job * len(self._tickets)))),
                )
            ticket = self._take_in(job, sampler, label)
            self._waiting.append(ticket)
            self._changed.notify()
        return ticket

    def _take_in(self, job: Job, sampler: Sampler, label: tuple[str, ...]) -> Ticket:
        ticket = Ticket(job, sampler, label)
        # From here on a caller that gives up cannot cancel the future under our hands.
        ticket.future.set_running_or_notify_cancel()
        self._tickets.add(ticket)
        return ticket

    def run_now(self, job: Job, sampler: Sampler, label: tuple[str, ...] = ()) -> Ticket | None:
        """Run a job on the caller's thread, if it is short and nobody else is on the way.

        To hand a job to another thread and to be told of its end takes a quarter of a
        millisecond, about as long as a short job.

        Returns:
            The ticket, its future done; None: the job has to be submitted.
        """
        with self._changed:
            if self._tickets or self._closed or self._batching.delay:
                return None
            if not _seconds_for(job, sampler) <= _NOW:
                return None
            ticket = self._take_in(job, sampler, label)
            batch = self._batch([ticket])
        while batch.tickets:
            self._turn(batch)
        return ticket

    def cancel(self, ticket: Ticket, fault: MCDropoutError) -> None:
        """End a job with a fault: at once if it had no turn yet, else before its next."""
        with self._changed:
            ticket.job.stop(fault)
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                self._end(ticket)

    def close(self, fault: MCDropoutError) -> None:
        """Take no more jobs, and end all that are on their way with a fault."""
        with self._changed:
            self._closed = True
            for ticket in self._tickets:
                ticket.job.stop(fault)
            while self._waiting:
                self._end(self._waiting.popleft())
            self._changed.notify_all()

    def _end(self, ticket: Ticket) -> None:
        ticket.ended = time.monotonic()
        self._tickets.discard(ticket)
        if ticket.job.done:
            ticket.future.set_result(None)
        else:
            ticket.future.set_exception(ticket.job.fault or RuntimeError("the job was lost"))

    # What follows runs on the scheduler's threads; what is called with the lock says so.

    def _work(self) -> None:
        while True:
            with self._changed:
                while (batch := self._next()) is None:
                    if self._closed and not self._tickets:
                        return
                    self._changed.wait(self._patience())
            self._turn(batch)
            if batch.tickets:
                with self._changed:
                    self._going.append(batch)
                    self._changed.notify()

    def _turn(self, batch: Batch) -> None:
        try:
            turn = batch.step()
        except Exception as error:
            self._fail(batch, error)
            return
        with self._changed:
            ended = batch.take_ended()
            self._learn(turn, len(ended))
            for ticket in ended:
                self._end(ticket)
        harmless("time slices", self._on_turn, turn)

    def _fail(self, batch: Batch, error: Exception) -> None:
        """One job's rows may be the cause: each gets another try by itself."""
        with self._changed:
            if len(batch.tickets) == 1:
                batch.tickets[0].job.stop(error)
            for ticket in batch.take_ended():
                self._end(ticket)
            for ticket in batch.tickets:
                ticket.job.restart()
                self._going.append(self._batch([ticket]))
            batch.tickets = []
            self._changed.notify_all()

    def _next(self) -> Batch | None:
        """Who is next; with the lock."""
        if self._waiting and (self._newcomers_next or not self._going) and self._gathered():
            self._newcomers_next = False
            return self._gather()
        self._newcomers_next = True
        return self._going.popleft() if self._going else None

    def _gathered(self) -> bool:
        """Whether the first in the queue has waited for company as long as it should."""
        delay, rows = self._batching.delay, self._batching.rows
        if not delay or rows == 1 or time.monotonic() >= self._waiting[0].arrived + delay:
            return True
        return sum(ticket.job.count for ticket in self._waiting) >= rows

    def _patience(self) -> float | None:
        """Seconds until something may happen by itself; with the lock."""
        if not self._waiting:
            return None
        return max(0.0, self._waiting[0].arrived + self._batching.delay - time.monotonic())

    def _gather(self) -> Batch:
        """The first in the queue, and the others that join it; with the lock."""
        together, rest = [self._waiting.popleft()], deque[Ticket]()
        for ticket in self._waiting:
            (together if self._joins(together, ticket) else rest).append(ticket)
        self._waiting = rest
        return self._batch(together)

    def _batch(self, tickets: Sequence[Ticket]) -> Batch:
        now = time.monotonic()
        for ticket in tickets:
            ticket.began = min(ticket.began, now) if ticket.began == ticket.began else now
        return Batch(tickets)

    def _joins(self, batch: Sequence[Ticket], ticket: Ticket) -> bool:
        first, sampler = batch[0], ticket.sampler
        jobs = [*(t.job for t in batch), ticket.job]
        rows = sum(job.count for job in jobs)
        sizes = sampler.sizing.known(first.job.rows)
        return (
            sampler is first.sampler
            and sizes is not None
            and _is_small(first.job)
            and _is_small(ticket.job)
            and rows <= min(self._batching.rows, sizes.rows, sampler.speed.rows_in(sizes, 2 * TURN))
            and rows * max(job.passes for job in jobs)
            <= min(_FULL, sizes.samples, sampler.speed.samples_in(sizes, 2 * TURN))
            and sampler.joins(first.job, ticket.job)
        )

    def _learn(self, turn: Turn, ended: int) -> None:
        if ended:
            self._seconds_a_job += 0.1 * (turn.seconds / ended - self._seconds_a_job)


def _seconds_for(job: Job, sampler: Sampler) -> float:
    """How long a job takes that runs alone; infinity where that is unknown."""
    sizes = sampler.sizing.known(job.rows)
    if sizes is None or not sampler.speed.known:
        return math.inf
    return sampler.speed.seconds_for(sizes, job.count, job.count * job.passes)


def _is_small(job: Job) -> bool:
    repeated = job.count > 1 and job.draws is not None and job.draws.masks == "shared"
    return job.count * job.passes <= (_MOST_REPEATED if repeated else _MOST_JOINED)
