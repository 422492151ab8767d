"""Streams of the data plane, without a protocol."""

import asyncio
import math
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

import numpy as np
import pytest

from service import Predictor, load_model
from service.errors import DeadlineError, InputError, StoppingError, TooLargeError
from service.protocol.options import Options
from service.protocol.prediction import Prediction
from service.repository.registry import Repository
from service.scheduling.scheduler import Batching, Scheduler
from service.serving.context import Context
from service.serving.data_plane import DataPlane
from service.serving.pending_memory import PendingMemory
from tests.conftest import STORE

X = np.random.default_rng(0).uniform(0, 16, (3, 64)).astype(np.float32)
ENDLESS = Options(passes=100_000_000, seed=7)


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    # The delay makes waiting jobs share a batch.
    scheduler = Scheduler(Batching(delay=0.05))
    yield scheduler
    scheduler.close(StoppingError("the test is over"))


@pytest.fixture
def plane(scheduler: Scheduler) -> DataPlane:
    return DataPlane(Repository(STORE, load_model), scheduler)


def stream(
    plane: DataPlane, model: Predictor, options: Options, context: Context | None = None
) -> AsyncGenerator[Prediction, None]:
    return plane.stream(model, X[:1], options, context or Context())


async def idle(scheduler: Scheduler) -> None:
    async with asyncio.timeout(10):
        while len(scheduler):
            await asyncio.sleep(0.01)


def test_streams_that_share_batches_stay_the_same(plane: DataPlane, digits: Predictor) -> None:
    jobs: list[int] = []
    plane._scheduler._on_time_slice = lambda time_slice: jobs.append(time_slice.jobs)

    async def read(options: Options) -> list[Prediction]:
        async with aclosing(stream(plane, digits, options)) as found:
            return [prediction async for prediction in found]

    async def run(asked: list[Options]) -> list[list[Prediction]]:
        return await asyncio.gather(*map(read, asked))

    asked = [Options(passes=passes, seed=seed) for seed, passes in enumerate((100, 70, 64, 90))]
    answers = asyncio.run(run(asked))
    assert max(jobs) == 4
    for options, found in zip(asked, answers, strict=True):
        assert found == list(digits.stream(X[:1], options.passes, options.seed))
        assert [one.final for one in found] == [False] * (len(found) - 1) + [True]


def test_closing_a_stream_stops_its_passes(
    plane: DataPlane, scheduler: Scheduler, digits: Predictor
) -> None:
    async def run() -> None:
        async with aclosing(stream(plane, digits, ENDLESS)) as found:
            assert (await anext(found)).passes == 32
            assert len(scheduler) == 1
        await idle(scheduler)
        assert not asyncio.all_tasks() - {asyncio.current_task()}

    asyncio.run(run())


def test_canceling_the_reader_stops_its_passes(
    plane: DataPlane, scheduler: Scheduler, digits: Predictor
) -> None:
    async def read() -> None:
        async for _ in stream(plane, digits, ENDLESS):
            pass

    async def run() -> None:
        reading = asyncio.create_task(read())
        await asyncio.sleep(0.2)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await idle(scheduler)

    asyncio.run(run())


def test_a_deadline_ends_a_stream(
    plane: DataPlane, scheduler: Scheduler, digits: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if its cost were unknown; otherwise it would be refused in advance.
    monkeypatch.setattr("service.scheduling.scheduler._seconds_for", lambda job, sampler: math.inf)
    (context := Context()).begin(0.3)
    found: list[bool] = []

    async def read() -> None:
        async for prediction in stream(plane, digits, ENDLESS, context):
            found.append(prediction.final)

    async def run() -> None:
        with pytest.raises(DeadlineError):
            await read()
        await idle(scheduler)

    asyncio.run(run())
    assert found
    assert not any(found)


def test_errors_of_the_request_come_at_the_first(plane: DataPlane, digits: Predictor) -> None:
    async def run() -> None:
        with pytest.raises(InputError, match="passes is 1"):
            await anext(stream(plane, digits, Options(passes=1)))

    asyncio.run(run())


def test_an_estimate_counts_as_much_memory_as_the_answer(
    scheduler: Scheduler, digits: Predictor
) -> None:
    options = Options(passes=100, seed=7)
    needed = 2 * digits.bytes_of(digits.prepare(X[:1], options))

    async def read(most: int) -> int:
        memory = PendingMemory(most)
        plane = DataPlane(Repository(STORE, load_model), scheduler, memory=memory)
        with plane.request(Context()) as context:
            return len([one async for one in stream(plane, digits, options, context)])

    assert asyncio.run(read(needed)) == 3
    with pytest.raises(TooLargeError):
        asyncio.run(read(needed - 1))
