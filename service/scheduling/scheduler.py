"""Runs the jobs of all models in time slices (see `Backlog` for their order).

Waiting jobs of one model that may go through its graphs together (see `Sampler.joins`)
become a batch (dynamic batching). A batch runs in chunks, each of which is a time slice. Time
slices alternate between new short jobs and the batches that have begun, so that
- a short request waits for one chunk of a long one, not for its end;
- batches that have begun get every second time slice, however many new jobs arrive.
Scheduling does not change answers: the draws of a pass depend only on its seed and number.
"""

import math
import threading
import time
from collections.abc import Callable

from service.errors import MCDropoutError, QueueFullError, StoppingError
from service.guarded import guarded
from service.inference.jobs import Job
from service.inference.sampler import Sampler
from service.scheduling.backlog import Backlog, Batching
from service.scheduling.batch import TIME_SLICE, Batch, Ticket, TimeSlice

__all__ = ["Batching", "Scheduler"]

#: Seconds after which the run of an abandoned job is terminated.
_PATIENCE = 2.0
#: Maximum seconds for which `run_now` blocks the caller.
_NOW = 0.003
#: Assumed seconds of a job of unknown cost: more than a short job takes.
_UNKNOWN = 3 * TIME_SLICE


class Scheduler:
    """Runs the jobs of all models on one thread. Safe to use from several threads."""

    def __init__(
        self,
        batching: Batching = Batching(),
        maximum: int = 512,
        on_time_slice: Callable[[TimeSlice], None] = lambda time_slice: None,
    ) -> None:
        """Start the thread that runs graphs; it is a daemon, and ends after `close`.

        Args:
            batching: see `Batching`.
            maximum: number of in-flight jobs; further ones are refused.
            on_time_slice: called after each time slice, by the thread that ran it; see `guarded`.
        """
        self._batching = batching
        self._maximum = maximum
        self._on_time_slice = on_time_slice
        self._changed = threading.Condition()
        self._backlog = Backlog(batching)
        self._tickets: set[Ticket] = set()
        self._closed = False
        threading.Thread(target=self._work, name="passes", daemon=True).start()

    def __len__(self) -> int:
        """Number of in-flight jobs."""
        return len(self._tickets)

    @property
    def waiting(self) -> int:
        """Number of jobs that wait for their first time slice."""
        return self._backlog.waiting

    def submit(
        self,
        job: Job,
        sampler: Sampler,
        label: tuple[str, ...] = (),
        deadline: float = math.inf,
    ) -> Ticket:
        """Submit a job that has not run yet.

        Args:
            job, sampler, label: see `Ticket`.
            deadline: of the answer, on the monotonic clock.

        Raises:
            QueueFullError: too many jobs are in flight, or it would miss its deadline behind them.
            DeadlineError: it would miss its deadline even alone.
            StoppingError: after `close`.
        """
        with self._changed:
            if self._closed:
                raise StoppingError("the server is shutting down and accepts no more requests.")
            if len(self._tickets) >= self._maximum:
                raise QueueFullError(
                    f"{len(self._tickets)} requests are in flight, the maximum of this server. "
                    f"Retry later.",
                    max(1, min(60, math.ceil(self._backlog.seconds))),
                )
            cost = _seconds_for(job, sampler)
            known = cost if cost < math.inf else _UNKNOWN
            ticket = Ticket(job, sampler, label, deadline, known)
            self._backlog.add(ticket)
            self._take_in(ticket)
            self._changed.notify()
        return ticket

    def _take_in(self, ticket: Ticket) -> None:
        # From here on a caller that gives up cannot cancel the future.
        ticket.future.set_running_or_notify_cancel()
        self._tickets.add(ticket)

    def run_now(self, job: Job, sampler: Sampler, label: tuple[str, ...] = ()) -> Ticket | None:
        """Run a job on the caller's thread, if it is short and no other job is in flight.

        Passing a job to another thread and returning its result takes a quarter of a
        millisecond, about as long as a short job.

        Returns:
            The ticket, its future done; None: the job has to be submitted.
        """
        with self._changed:
            if self._tickets or self._closed or self._batching.delay or sampler.loops:
                return None
            cost = _seconds_for(job, sampler)
            if not cost <= _NOW:
                return None
            ticket = Ticket(job, sampler, label, cost=cost)
            self._take_in(ticket)
            batch = self._backlog.begin([ticket])
        while batch.tickets:
            self._run_slice(batch, queued=False)
        return ticket

    def cancel(self, ticket: Ticket, fault: MCDropoutError) -> None:
        """End a job with a fault: at once if it has not begun, else before its next time slice."""
        with self._changed:
            ticket.job.stop(fault)
            if self._backlog.remove(ticket):
                self._end(ticket)
                return
            batch = self._backlog.batch_of(ticket)
        if batch is not None:
            # Its time slice ends soon, unless the model runs endlessly on these rows.
            late = threading.Timer(_PATIENCE, batch.stop_if_forgotten)
            late.daemon = True
            late.start()

    def close(self, fault: MCDropoutError) -> None:
        """Accept no more jobs, and end all in-flight jobs with a fault."""
        with self._changed:
            self._closed = True
            for ticket in self._tickets:
                ticket.job.stop(fault)
            for ticket in self._backlog.take_waiting():
                self._end(ticket)
            self._changed.notify_all()

    def _end(self, ticket: Ticket) -> None:
        ticket.ended = time.monotonic()
        self._tickets.discard(ticket)
        if ticket.job.done:
            ticket.future.set_result(None)
        else:
            ticket.future.set_exception(ticket.job.fault or RuntimeError("the job was lost"))

    # The following runs on the scheduler's thread; methods called with the lock say so.

    def _work(self) -> None:
        while True:
            with self._changed:
                while (batch := self._next()) is None:
                    if self._closed and not self._tickets:
                        return
                    self._changed.wait(self._backlog.patience())
            self._run_slice(batch)

    def _next(self) -> Batch | None:
        """With the lock."""
        for ticket, fault in self._backlog.take_late():
            ticket.job.stop(fault)
            self._end(ticket)
        return self._backlog.next()

    def _run_slice(self, batch: Batch, queued: bool = True) -> None:
        """Run a time slice; unless `queued`, the caller runs the next one, too."""
        try:
            time_slice = batch.step()
        except Exception as error:
            self._fail(batch, error)
            return
        with self._changed:
            for ticket in batch.take_ended():
                self._end(ticket)
            self._backlog.ran(batch, time_slice, queued)
            self._changed.notify()
        guarded("time slices", self._on_time_slice, time_slice)

    def _fail(self, batch: Batch, error: Exception) -> None:
        """Run each job again alone, since the rows of a single job may be the cause."""
        with self._changed:
            if len(batch.tickets) == 1:
                batch.tickets[0].job.stop(error)
            for ticket in batch.take_ended():
                self._end(ticket)
            for ticket in batch.tickets:
                ticket.job.restart()
            alone, batch.tickets = batch.tickets, []
            self._backlog.failed(batch, alone)
            self._changed.notify_all()


def _seconds_for(job: Job, sampler: Sampler) -> float:
    """Predicted seconds of a job that runs alone; infinity if unknown."""
    sizes = sampler.sizing.known(job.rows, job.inner)
    if sizes is None or not sampler.speed.sure:
        return math.inf
    return sampler.speed.seconds_for(sizes, job.count, sizes.work(job.count, job.passes))
