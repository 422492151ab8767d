"""Large requests and answers do not block the event loop."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service import Predictor, load_model
from service.api.app import create_app
from service.api.http.app_state import AppState
from service.errors import StoppingError
from service.repository.registry import Repository
from service.runtime.device import choose_device
from service.scheduling.scheduler import Scheduler
from service.serving.data_plane import DataPlane
from tests.service.reference import save


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[AppState]:
    """A model whose rows have 100,000 outputs."""
    path = tmp_path / "wide" / "1" / "model.onnx"
    path.parent.mkdir(parents=True)
    save(
        "k = Dropout(x, half, on) y = Expand(k, wide)",
        path,
        "float half = {0.5}, bool on = {1}, int64[2] wide = {1, 100000}",
        "float[batch, 1] x",
        "float[batch, 100000] y",
    )
    repository = Repository(tmp_path, load_model)
    repository.load_all()
    scheduler = Scheduler()
    yield AppState(DataPlane(repository, scheduler), choose_device("cpu"))
    scheduler.close(StoppingError("the test is over"))


@pytest.mark.parametrize(("method", "training"), [("prediction", True), ("outputs", False)])
def test_large_answers_are_encoded_in_another_thread(
    shared: AppState, monkeypatch: pytest.MonkeyPatch, method: str, training: bool
) -> None:
    made_by: list[threading.Thread] = []
    original = getattr(Predictor, method)

    def spy(*args: object) -> object:
        made_by.append(threading.current_thread())
        return original(*args)

    monkeypatch.setattr(Predictor, method, spy)
    body: dict[str, Any] = {"instances": [[1.0]] * 4, "training": training}
    if training:
        body["passes"] = 2

    async def ask() -> int:
        transport = httpx.ASGITransport(create_app(shared))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return (await client.post("/v1/models/wide:predict", json=body)).status_code

    assert asyncio.run(ask()) == 200
    assert [thread is threading.main_thread() for thread in made_by] == [False]
