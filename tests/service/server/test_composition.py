"""A server inside another process: it answers, and does not change the process."""

import asyncio
import gc
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.types import ASGIApp

from service import Predictor
from service.errors import StoppingError
from service.server.composition import Runtime, build
from service.server.settings import read_settings
from tests.conftest import STORE

BODY: dict[str, Any] = {"instances": [[4.0] * 64], "passes": 50, "seed": 7}


@asynccontextmanager
async def hosted(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """Run an application in its lifespan, as an ASGI server does."""
    asked: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    told: asyncio.Queue[Any] = asyncio.Queue()

    async def run() -> None:
        await app({"type": "lifespan"}, asked.get, told.put)

    task = asyncio.create_task(run())
    await asked.put({"type": "lifespan.startup"})
    assert (await told.get())["type"] == "lifespan.startup.complete"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        yield client
    await asked.put({"type": "lifespan.shutdown"})
    assert (await told.get())["type"] == "lifespan.shutdown.complete"
    await task


async def ready(client: httpx.AsyncClient) -> None:
    for _ in range(1000):
        if (await client.get("/health/ready")).status_code == 200:
            return
        await asyncio.sleep(0.01)
    pytest.fail("no model became ready within 10 s")


def state_of_the_process() -> tuple[Any, ...]:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    return sys.getswitchinterval(), gc.get_freeze_count(), gc.isenabled(), *handlers


@pytest.fixture
def thawed() -> Iterator[None]:
    """Nothing is frozen, so that the count of frozen objects is that of the app alone."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.fixture
def runtime() -> Runtime:
    return build(read_settings(models=STORE))


@pytest.mark.slow
@pytest.mark.usefixtures("thawed")
def test_any_asgi_host_serves_the_app(runtime: Runtime, digits: Predictor) -> None:
    before = state_of_the_process()

    async def ask() -> httpx.Response:
        async with hosted(runtime.app) as client:
            await ready(client)
            return await client.post("/v1/models/digits:predict", json=BODY)

    answer = asyncio.run(ask())
    (found,) = answer.json()["predictions"]
    wanted = digits.predict(BODY["instances"], 50, 7)
    np.testing.assert_array_equal(found["mean"], wanted.mean[0])
    assert state_of_the_process() == before
    assert not any(t.name.startswith("passes") for t in threading.enumerate() if not t.daemon)


def test_end_of_the_lifespan_stops_the_work(runtime: Runtime, digits: Predictor) -> None:
    job = digits.prepare([[4.0] * 64])
    runtime.close()
    with pytest.raises(StoppingError):
        runtime.scheduler.submit(job, digits.sampler)
    runtime.close()


@pytest.mark.slow
def test_two_servers_in_a_process_are_independent(tmp_path: Path) -> None:
    one, two = build(read_settings(models=STORE)), build(read_settings(models=tmp_path))
    one.repository.load_all()
    assert one.repository.names() == ["co2", "digits"]
    assert two.repository.names() == []
    one.close()
    two.close()


def test_loading_a_model_does_not_change_the_process() -> None:
    code = (
        "import gc, sys; before = sys.getswitchinterval()\n"
        "from service import load_model\n"
        f"load_model({str(STORE / 'digits' / '1' / 'model.onnx')!r})\n"
        "assert (gc.get_freeze_count(), sys.getswitchinterval()) == (0, before)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
