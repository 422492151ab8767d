"""Jobs of a real model on real threads."""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from service import Predictor, load_model
from service.errors import CancelledError, ModelError, QueueFullError, StoppingError
from service.inference.jobs import SampleJob
from service.protocol.options import Masks, Options
from service.scheduling.batch import TIME_SLICE, Batch, Ticket, TimeSlice
from service.scheduling.scheduler import Batching, Scheduler
from tests.conftest import STORE
from tests.service.reference import save

ROW = np.full((1, 64), 4.0, np.float32)


@pytest.fixture(scope="module")
def co2() -> Predictor:
    return load_model(STORE / "co2" / "1" / "model.onnx")


Start = Callable[..., Scheduler]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start schedulers that end with the test."""
    started: list[Scheduler] = []

    def make(*args: object, **kwargs: object) -> Scheduler:
        started.append(Scheduler(*args, **kwargs))  # type: ignore[arg-type]
        return started[-1]

    yield make
    for scheduler in started:
        scheduler.close(StoppingError("the test is over"))


class Held:
    """Blocks a scheduler's only thread between two time slices, so that other jobs have to wait."""

    def __init__(self) -> None:
        self.time_slices: list[TimeSlice] = []
        self.go = threading.Event()
        self.go.set()
        self.stands = threading.Event()

    def __call__(self, time_slice: TimeSlice) -> None:
        self.time_slices.append(time_slice)
        if not self.go.is_set():
            self.stands.set()
            self.go.wait(30)

    def hold(self, scheduler: Scheduler, model: Predictor) -> None:
        self.go.clear()
        scheduler.submit(model.prepare(ROW, sampled(2, 0)), model.sampler)
        assert self.stands.wait(30)
        self.time_slices.clear()


def sampled(passes: int, seed: int, masks: Masks = "shared") -> Options:
    return Options(passes=passes, seed=seed, masks=masks)


def submit(scheduler: Scheduler, model: Predictor, x: object, options: Options) -> Ticket:
    return scheduler.submit(model.prepare(x, options), model.sampler)


def require_same(model: Predictor, ticket: Ticket, x: object, options: Options) -> None:
    """Check that the answer equals that of the model alone, bit for bit."""
    ticket.future.result(60)
    assert isinstance(ticket.job, SampleJob)
    found = model.prediction(ticket.job)
    alone = model.predict(x, options.passes, options.seed, masks=options.masks)
    np.testing.assert_array_equal(found.mean, alone.mean)
    np.testing.assert_array_equal(found.variance, alone.variance)


def test_waiting_jobs_form_a_batch_with_unchanged_answers(start: Start, digits: Predictor) -> None:
    held = Held()
    scheduler = start(on_time_slice=held)
    held.hold(scheduler, digits)
    rng = np.random.default_rng(0)
    kinds: list[tuple[int, int, int, Masks]] = [
        (1, 50, 1, "shared"),
        (1, 50, 2, "shared"),
        (2, 30, 1, "shared"),
        (3, 20, 4, "per_row"),
        (1, 100, 5, "shared"),
    ]
    asked = [
        (
            rng.uniform(0, 16, (rows, 64)).astype(np.float32),
            sampled(passes, seed, masks=masks),
        )
        for rows, passes, seed, masks in kinds
    ]
    tickets = [submit(scheduler, digits, *one) for one in asked]
    held.go.set()
    for ticket, (x, options) in zip(tickets, asked, strict=True):
        require_same(digits, ticket, x, options)
    assert held.time_slices[0].jobs == 5
    assert held.time_slices[0].rows == 8
    assert (
        sum(time_slice.rows * time_slice.passes for time_slice in held.time_slices)
        == 50 + 50 + 60 + 60 + 100
    )


def test_no_batch_exceeds_its_rows(start: Start, digits: Predictor) -> None:
    for rows in (1, 3):
        held = Held()
        scheduler = start(Batching(rows=rows), on_time_slice=held)
        held.hold(scheduler, digits)
        tickets = [submit(scheduler, digits, ROW, sampled(10, seed)) for seed in range(7)]
        held.go.set()
        for ticket in tickets:
            ticket.future.result(30)
        assert max(time_slice.rows for time_slice in held.time_slices) == rows


def test_jobs_of_different_models_do_not_mix(
    start: Start, digits: Predictor, co2: Predictor
) -> None:
    held = Held()
    scheduler = start(on_time_slice=held)
    held.hold(scheduler, digits)
    year = np.array([[1985.0]], np.float32)
    asked = [(digits, ROW), (co2, year), (digits, ROW), (co2, year)]
    tickets = [submit(scheduler, model, x, sampled(50, 3)) for model, x in asked]
    held.go.set()
    for ticket, (model, x) in zip(tickets, asked, strict=True):
        require_same(model, ticket, x, sampled(50, 3))
    for model in (digits, co2):
        assert (
            next(
                time_slice.jobs
                for time_slice in held.time_slices
                if time_slice.sampler is model.sampler
            )
            == 2
        )


def test_job_waits_for_others_at_most_the_batching_delay(start: Start, digits: Predictor) -> None:
    time_slices: list[TimeSlice] = []
    scheduler = start(Batching(rows=3, delay=0.5), on_time_slice=time_slices.append)
    began = time.monotonic()
    tickets = [submit(scheduler, digits, ROW, sampled(10, seed)) for seed in range(3)]
    for ticket in tickets:
        ticket.future.result(30)
    assert time_slices[0].jobs == 3  # the batch was full, so there was no delay
    assert time.monotonic() - began < 0.5
    alone = submit(scheduler, digits, ROW, sampled(10, 9))
    alone.future.result(30)
    assert alone.began - alone.arrived >= 0.5


def test_a_long_job_does_not_starve_short_ones(start: Start, digits: Predictor) -> None:
    """Alone the long job takes seconds; a short one waits for one or two of its time slices."""
    scheduler = start()
    long = submit(scheduler, digits, ROW, sampled(500_000, 1))
    while len(scheduler) and scheduler.waiting:
        time.sleep(0.001)
    time.sleep(0.2)
    waits = []
    for seed in range(20):
        short = submit(scheduler, digits, ROW, sampled(100, seed))
        short.future.result(30)
        waits.append(short.ended - short.arrived)
    assert not long.future.done()
    assert np.median(waits) < 8 * TIME_SLICE
    scheduler.cancel(long, CancelledError("enough"))
    with pytest.raises(CancelledError):
        long.future.result(5)


def test_short_jobs_do_not_starve_a_long_one(start: Start, digits: Predictor) -> None:
    time_slices: list[TimeSlice] = []
    scheduler = start(on_time_slice=time_slices.append)
    long = submit(scheduler, digits, np.repeat(ROW, 8, axis=0), sampled(2_000, 1))
    while not long.future.done():
        for seed in range(4):
            submit(scheduler, digits, ROW, sampled(100, seed))
        time.sleep(0.002)
        if len(scheduler) > 300:
            time.sleep(0.1)
    long.future.result(60)
    mine = [index for index, time_slice in enumerate(time_slices) if time_slice.rows == 8]
    assert np.median(np.diff(mine)) <= 3  # every second time slice, unless a short batch needs two


def test_full_queue_refuses_jobs(start: Start, digits: Predictor) -> None:
    held = Held()
    scheduler = start(maximum=3, on_time_slice=held)
    held.hold(scheduler, digits)
    tickets = [submit(scheduler, digits, ROW, sampled(10, seed)) for seed in range(3)]
    with pytest.raises(QueueFullError, match="3 requests are in flight") as caught:
        submit(scheduler, digits, ROW, sampled(10, 9))
    assert 1 <= caught.value.retry_after <= 60
    held.go.set()
    for ticket in tickets:
        ticket.future.result(30)
    submit(scheduler, digits, ROW, sampled(10, 9)).future.result(30)
    assert len(scheduler) == 0


def test_canceled_job_ends_and_its_batch_continues(start: Start, digits: Predictor) -> None:
    held = Held()
    scheduler = start(on_time_slice=held)
    held.hold(scheduler, digits)
    gone, stays = (submit(scheduler, digits, ROW, sampled(100, seed)) for seed in (1, 2))
    scheduler.cancel(gone, CancelledError("the client is gone"))
    with pytest.raises(CancelledError, match="the client is gone"):
        gone.future.result(0)
    held.go.set()
    require_same(digits, stays, ROW, sampled(100, 2))


def test_close_ends_in_flight_jobs(start: Start, digits: Predictor) -> None:
    scheduler = start()
    running = submit(scheduler, digits, ROW, sampled(500_000, 1))
    time.sleep(0.1)
    scheduler.close(StoppingError("the server is stopping"))
    with pytest.raises(StoppingError, match="is stopping"):
        running.future.result(5)
    with pytest.raises(StoppingError, match="accepts no more"):
        submit(scheduler, digits, ROW, sampled(10, 1))


def test_invalid_rows_of_one_job_do_not_fail_the_others(start: Start, tmp_path: Path) -> None:
    """ONNX Runtime refuses a whole run for one index out of range."""
    path = save(
        "e = Gather(table, x) k = Dropout(e, ratio, on) y = Squeeze(k, one)",
        tmp_path / "model.onnx",
        "float[3, 4] table = {1,2,3,4,5,6,7,8,9,10,11,12}, float ratio = {0.5}, bool on = {1}, "
        "int64[1] one = {1}",
        "int64[batch, 1] x",
        "float[batch, 4] y",
    )
    model = load_model(path)
    held = Held()
    scheduler = start(on_time_slice=held)
    hold = model.prepare([[0]], sampled(2, 0))
    held.go.clear()
    scheduler.submit(hold, model.sampler)
    assert held.stands.wait(30)
    good, bad, fine = (submit(scheduler, model, [[i]], sampled(50, 3)) for i in (0, 7, 2))
    held.go.set()
    with pytest.raises(ModelError, match="out of data bounds"):
        bad.future.result(30)
    for ticket, x in ((good, [[0]]), (fine, [[2]])):
        require_same(model, ticket, x, sampled(50, 3))


def test_deterministic_job_gets_a_time_slice(start: Start, digits: Predictor) -> None:
    scheduler = start()
    job = digits.prepare_deterministic(ROW)
    scheduler.submit(job, digits.sampler).future.result(30)
    (found,) = digits.outputs(job).values()
    (wanted,) = digits.predict_deterministic(ROW).values()
    np.testing.assert_array_equal(found, wanted)


def test_short_job_alone_runs_on_the_thread_of_the_caller(start: Start, digits: Predictor) -> None:
    scheduler = start()
    options = sampled(50, 3)
    for _ in range(50):  # an outlier of the machine would make it look long
        ticket = scheduler.run_now(digits.prepare(ROW, options), digits.sampler)
        if ticket:
            break
        submit(scheduler, digits, ROW, options).future.result(30)
    assert ticket is not None
    require_same(digits, ticket, ROW, options)
    assert len(scheduler) == 0
    long = digits.prepare(ROW, sampled(100_000, 3))
    assert scheduler.run_now(long, digits.sampler) is None
    held = submit(scheduler, digits, ROW, sampled(300_000, 1))
    assert scheduler.run_now(digits.prepare(ROW, options), digits.sampler) is None
    scheduler.cancel(held, CancelledError("enough"))


@pytest.mark.slow
def test_all_time_slices_of_such_a_job_run_on_the_thread_of_the_caller(
    start: Start, digits: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier, the scheduler's thread took part after the first one, and the job never ended."""
    monkeypatch.setattr("service.scheduling.scheduler._NOW", 60.0)
    threads: list[threading.Thread] = []
    scheduler = start(on_time_slice=lambda time_slice: threads.append(threading.current_thread()))
    options = sampled(20_000, 3)
    for _ in range(5):
        ticket = scheduler.run_now(digits.prepare(ROW, options), digits.sampler)
        assert ticket is not None
        require_same(digits, ticket, ROW, options)
    assert len(threads) > 5
    assert set(threads) == {threading.current_thread()}
    assert len(scheduler) == scheduler.waiting == 0


def test_failure_on_the_thread_of_the_caller_is_raised(start: Start, digits: Predictor) -> None:
    scheduler = start()
    options = sampled(50, 3)
    for _ in range(5):
        submit(scheduler, digits, ROW, options).future.result(30)
    job = digits.prepare(ROW, options)
    job.rows = {"pixels": np.zeros((1, 3), np.float32)}
    ticket = None
    for _ in range(50):
        ticket = ticket or scheduler.run_now(job, digits.sampler)
    assert ticket is not None
    with pytest.raises(ModelError):
        ticket.future.result(0)
    assert len(scheduler) == 0


def test_memory_of_a_batch_is_freed_with_it(digits: Predictor) -> None:
    batch = Batch([Ticket(digits.prepare(ROW, sampled(10, 0)), digits.sampler)])
    gc.disable()
    try:
        while batch.tickets:
            batch.step()
            batch.take_ended()
        kept = weakref.ref(batch)
        del batch
        assert kept() is None
    finally:
        gc.enable()
