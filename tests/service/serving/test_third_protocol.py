"""The data plane serves a protocol that no other module knows."""

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service import Predictor, load_model
from service.errors import StoppingError
from service.repository.registry import Repository
from service.scheduling.scheduler import Scheduler
from service.serving.data_plane import DataPlane
from tests.conftest import STORE
from tests.service.serving import lines

ROWS = np.random.default_rng(0).uniform(0, 16, (3, 64)).tolist()

Ask = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler()
    yield scheduler
    scheduler.close(StoppingError("the test is over"))


@pytest.fixture(scope="module")
def repository() -> Repository:
    found = Repository(STORE, load_model)
    found.load_all()
    return found


@pytest.fixture
def plane(repository: Repository, scheduler: Scheduler) -> DataPlane:
    return DataPlane(repository, scheduler, timeout=30)


def talk(plane: DataPlane, path: Path, conversation: Callable[[Ask], Awaitable[Any]]) -> Any:
    """The answers to lines sent over one connection."""

    async def run() -> Any:
        async with await lines.serve_lines(plane, path):
            reader, writer = await asyncio.open_unix_connection(path, limit=1 << 20)

            async def ask(request: dict[str, Any]) -> dict[str, Any]:
                writer.write(json.dumps(request).encode() + b"\n")
                found: dict[str, Any] = json.loads(await reader.readline())
                return found

            try:
                return await asyncio.wait_for(conversation(ask), 60)
            finally:
                await hang_up(writer)

    return asyncio.run(run())


def test_predictions_equal_the_library(plane: DataPlane, tmp_path: Path, digits: Predictor) -> None:
    async def conversation(ask: Ask) -> dict[str, Any]:
        return await ask({"model": "digits", "rows": ROWS, "options": {"passes": 40, "seed": 7}})

    answer = talk(plane, tmp_path / "s", conversation)
    wanted = digits.predict(ROWS, 40, 7)
    np.testing.assert_array_equal(answer["mean"], wanted.mean)
    np.testing.assert_array_equal(answer["variance"], wanted.variance)
    assert (answer["model"], answer["seed"]) == ("digits/1", 7)
    page = plane.metrics.text().decode()
    assert 'mcdropout_passes_total{model="digits",version="1"} 40.0' in page
    name, labels = "mcdropout_predictive_entropy_ratio", 'model="digits",output="probabilities"'
    assert f'{name}_count{{{labels},version="1"}} 3.0' in page


def test_errors_are_those_of_the_data_plane(plane: DataPlane, tmp_path: Path) -> None:
    async def conversation(ask: Ask) -> list[str]:
        requests: list[dict[str, Any]] = [
            {"model": "nope", "rows": ROWS},
            {"model": "digits", "rows": [[1.0]]},
            {"model": "digits", "rows": ROWS, "options": {"passes": 1}},
            {"model": "digits", "rows": ROWS, "timeout": 31},
            {"model": "digits", "rows": ROWS, "timeout": 1e-9},
        ]
        return [(await ask(request))["error"] for request in requests]

    assert talk(plane, tmp_path / "s", conversation) == [
        "ModelNotFoundError",
        "InputError",
        "InputError",
        "InputError",
        "DeadlineError",
    ]


def test_a_deadline_ends_the_passes(plane: DataPlane, scheduler: Scheduler, tmp_path: Path) -> None:
    async def conversation(ask: Ask) -> tuple[dict[str, Any], int]:
        options = {"passes": 10_000, "masks": "per_row"}
        answer = await ask(
            {"model": "digits", "rows": ROWS * 100, "options": options, "timeout": 0.3}
        )
        await until_idle(scheduler)
        return answer, len(scheduler)

    answer, left = talk(plane, tmp_path / "s", conversation)
    assert answer["error"] == "DeadlineError"
    assert left == 0


def test_disconnected_client_stops_its_passes(
    plane: DataPlane, scheduler: Scheduler, tmp_path: Path
) -> None:
    async def run() -> int:
        async with await lines.serve_lines(plane, tmp_path / "s"):
            _, writer = await asyncio.open_unix_connection(tmp_path / "s")
            options = {"passes": 10_000, "masks": "per_row"}
            request = {"model": "digits", "rows": ROWS * 100, "options": options}
            writer.write(json.dumps(request).encode() + b"\n")
            while not len(scheduler):
                await asyncio.sleep(0.01)
            await hang_up(writer)
            await until_idle(scheduler)
            return len(scheduler)

    assert asyncio.run(asyncio.wait_for(run(), 20)) == 0


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close a connection, and let the server close it as well."""
    writer.close()
    await writer.wait_closed()
    serving = asyncio.all_tasks() - {asyncio.current_task()}
    connections = [task for task in serving if "connected" in repr(task.get_coro())]
    if connections:
        await asyncio.wait(connections, timeout=10)


async def until_idle(scheduler: Scheduler) -> None:
    """Wait at most 10 s; the passes of these tests would take about 15 s."""
    for _ in range(1000):
        if not len(scheduler):
            return
        await asyncio.sleep(0.01)


def test_protocol_takes_few_lines() -> None:
    assert len(inspect.getsource(lines).splitlines()) < 80
