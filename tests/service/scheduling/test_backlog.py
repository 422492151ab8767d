"""Which time slice is next, and which jobs are refused early."""

import time

import numpy as np
import pytest

from service import Predictor
from service.errors import DeadlineError, QueueFullError
from service.protocol.options import Options
from service.scheduling.backlog import Backlog, Batching, Drag
from service.scheduling.batch import Batch, Ticket, TimeSlice

ROW = np.full((1, 64), 4.0, np.float32)


@pytest.fixture
def backlog() -> Backlog:
    return Backlog(Batching())


def ticket(model: Predictor, cost: float, seconds: float = 1e9) -> Ticket:
    """A ticket for a job that takes `cost` seconds alone and has `seconds` until its deadline."""
    job = model.prepare(ROW, Options(passes=10_000, seed=7))
    return Ticket(job, model.sampler, deadline=time.monotonic() + seconds, cost=cost)


def begin(backlog: Backlog, *tickets: Ticket) -> list[list[Ticket]]:
    """Add jobs; returns those of each batch that gets one of the next 12 time slices."""
    for one in tickets:
        backlog.add(one)
    begun: list[Batch] = []
    for _ in range(12):
        batch = backlog.next()
        assert batch is not None
        if batch not in begun:
            begun.append(batch)
        backlog.ran(batch, TimeSlice(batch.sampler, (), True, 1, 1, 1, 0.0, 0.0))
    return [batch.tickets for batch in begun]


def test_job_that_takes_longer_than_its_deadline_is_refused(
    backlog: Backlog, digits: Predictor
) -> None:
    with pytest.raises(
        DeadlineError,
        match=r"take about 3\.0 s even without other requests, and its deadline is in 2\.0 s",
    ):
        backlog.add(ticket(digits, 3.0, 2.0))
    assert backlog.waiting == 0


def test_job_behind_too_much_work_is_refused_with_a_retry_time(
    backlog: Backlog, digits: Predictor
) -> None:
    begin(backlog, ticket(digits, 8.0), ticket(digits, 4.0))
    with pytest.raises(QueueFullError, match=r"take about 13\.0 s") as caught:
        backlog.add(ticket(digits, 1.0, 5.0))
    assert caught.value.retry_after == 8
    backlog.add(ticket(digits, 1.0, 20.0))
    backlog.add(ticket(digits, 0.01, 5.0))  # a short job does not wait for the end of the long ones


def test_long_jobs_alternate_while_all_meet_their_deadlines(
    backlog: Backlog, digits: Predictor
) -> None:
    tickets = [ticket(digits, 1.0) for _ in range(6)]
    assert begin(backlog, *tickets) == [[t] for t in tickets[:4]]
    assert backlog.waiting == 2


def test_long_job_waits_if_it_would_make_others_late(backlog: Backlog, digits: Predictor) -> None:
    """Two jobs of 1 s, the first with a deadline of 3 s: both together would take 2 s."""
    first, second = ticket(digits, 1.0, 3.0), ticket(digits, 1.0)
    assert begin(backlog, first, second) == [[first]]
    assert backlog.waiting == 1


def test_job_that_has_become_too_late_is_dropped_before_it_begins(
    backlog: Backlog, digits: Predictor
) -> None:
    early, late, short = ticket(digits, 1.0), ticket(digits, 1.0, 1.05), ticket(digits, 0.01, 0.05)
    for one in (late, early, short):
        backlog.add(one)
    time.sleep(0.1)
    dropped = dict(backlog.take_late())
    assert set(dropped) == {late, short}
    assert "so it was not started" in str(dropped[late])
    assert backlog.waiting == 1


def test_short_jobs_have_every_second_slice(backlog: Backlog, digits: Predictor) -> None:
    long = ticket(digits, 1.0)
    backlog.add(long)
    found = []
    for _ in range(6):
        backlog.add(ticket(digits, 0.001))
        batch = backlog.next()
        assert batch is not None
        found.append(batch.tickets == [long])
        if not batch.is_long:
            batch.tickets = []
        backlog.ran(batch, TimeSlice(batch.sampler, (), True, 1, 1, 1, 0.001, 0.001))
    assert found == [False, True] * 3


def test_drag_follows_measured_times_and_ignores_an_outlier() -> None:
    drag = Drag()
    drag.learn(100.0, 0.02)
    assert drag.value < 1.2
    for _ in range(100):
        drag.learn(0.05, 0.025)
    assert drag.value == pytest.approx(2.0, rel=0.02)
