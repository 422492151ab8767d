"""Jobs that run together, turn by turn, and how long their turns take."""

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from service.jobs import Job
from service.sampler import Sampler

#: Seconds that a turn is to take: short for whoever waits, and long against what it costs
#: beside the passes. The first of a batch may take twice as long, so that most batches
#: need no second.
TURN = 0.025
#: Seconds that a turn costs beside its passes.
_FIXED = 0.0003
_FEW = 32


@dataclass(eq=False)
class Ticket:
    """A job on its way.

    Attributes:
        job: what is run.
        sampler: what runs it.
        label: whose it is, for who measures.
        future: done when the job is; an exception of it says why there is no answer.
        arrived, began, ended: times on the monotonic clock.
        computing: seconds of the turns that it took part in.
    """

    job: Job
    sampler: Sampler
    label: tuple[str, ...] = ()
    future: "Future[None]" = field(default_factory=Future)
    arrived: float = field(default_factory=time.monotonic)
    began: float = math.nan
    ended: float = math.nan
    computing: float = 0.0


@dataclass(frozen=True)
class Turn:
    """What one turn did: `passes` of `rows` rows of `jobs` jobs, their `first` ones or later."""

    sampler: Sampler
    label: tuple[str, ...]
    first: bool
    jobs: int
    rows: int
    passes: int
    seconds: float


class Batch:
    """Jobs of one sampler that run together."""

    def __init__(
        self, tickets: Sequence[Ticket], samples_in: Callable[[Sampler, float], int]
    ) -> None:
        """`samples_in` tells how many rows × passes a sampler does in so many seconds."""
        self.tickets = list(tickets)
        self.sampler = tickets[0].sampler
        self._label = tickets[0].label
        self._begun = False
        self._samples_in = samples_in
        self._steps = self.sampler.run([ticket.job for ticket in tickets], self._samples)

    def _samples(self) -> int:
        return self._samples_in(self.sampler, TURN if self._begun else 2 * TURN)

    def step(self) -> Turn:
        """Run a chunk."""
        jobs, start = len(self.tickets), time.perf_counter()
        step = next(self._steps, None)
        seconds = time.perf_counter() - start
        for ticket in self.tickets:
            ticket.computing += seconds
        rows, passes = (step.rows, step.passes) if step else (0, 0)
        first, self._begun = not self._begun, True
        return Turn(self.sampler, self._label, first, jobs, rows, passes, seconds)

    def take_ended(self) -> list[Ticket]:
        """Those that need no further step, which the batch then forgets."""
        ended = [t for t in self.tickets if t.job.done or t.job.fault is not None]
        self.tickets = [t for t in self.tickets if t not in ended]
        if not self.tickets:
            # It refers to this batch, and holds the draws of the last chunk: they would
            # stay until Python's collector comes to such circles.
            self._steps.close()
        return ended


class Speed:
    """What a sampler's last turns took: a begin, and so much for each sample.

    The quickest turns count: the first runs of a shape take longer, and so does whatever
    runs beside others.
    """

    def __init__(self) -> None:
        self._each = self._begin = math.inf

    def add(self, turn: Turn) -> None:
        """Learn from a turn of at least one sample."""
        samples = turn.rows * turn.passes
        # A few samples say more of the machine's hiccups than of the model.
        each = max(turn.seconds - _FIXED, turn.seconds / 10) / max(samples, _FEW)
        self._each = min(each, 1.1 * self._each)
        if turn.first:
            self._begin = min(max(turn.seconds - samples * self._each, 0.0), 1.1 * self._begin)

    def seconds_for(self, job: Job) -> float:
        """For a job that runs alone, its trunk included."""
        return self._begin + job.count * job.passes * self._each

    def samples_in(self, seconds: float) -> int:
        """How many samples a turn of so many seconds has, at least one."""
        return max(1, int(seconds / self._each))
