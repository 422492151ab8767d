"""A model without a version, and one whose version is 0."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from service import load_model
from service.api.app import create_app
from service.api.http.app_state import AppState
from service.errors import StoppingError
from service.repository.registry import Repository
from service.runtime.device import choose_device
from service.scheduling.scheduler import Scheduler
from service.serving.data_plane import DataPlane
from tests.service.repository.folders import place


@pytest.fixture
def app(tmp_path: Path, digits_path: Path) -> Iterator[ASGIApp]:
    """Serves `zero`, whose only version is 0, and has `empty`, which has no version."""
    place(tmp_path, "zero", 0, digits_path.read_bytes())
    (tmp_path / "empty").mkdir()
    repository, scheduler = Repository(tmp_path, load_model), Scheduler()
    repository.load_all()
    plane = DataPlane(repository, scheduler)
    plane.metrics.watch(repository, scheduler)
    yield create_app(AppState(plane, choose_device("cpu")))
    scheduler.close(StoppingError("the test is over"))


def ask(app: ASGIApp, *paths: str, method: str = "GET") -> list[httpx.Response]:
    async def send() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [await client.request(method, path) for path in paths]

    return asyncio.run(send())


def test_version_0_answers_by_its_number(app: ASGIApp) -> None:
    paths = ("/v1/models/zero/versions/0", "/v2/models/zero/versions/0/ready")
    details, ready = ask(app, *paths)
    assert (details.json()["version"], details.json()["state"]) == ("0", "ready")
    assert ready.json() == {"name": "zero", "ready": True}


def test_model_without_versions_is_listed_and_has_no_version_0(app: ASGIApp) -> None:
    (listed,) = ask(app, "/v1/models")
    models: dict[str, Any] = {one["name"]: one["versions"] for one in listed.json()["models"]}
    assert [(v["version"], v["state"]) for v in models["empty"]] == [("0", "failed")]
    (described,) = ask(app, "/v1/models/empty")
    (status,) = described.json()["model_version_status"]
    assert (status["version"], status["state"]) == ("0", "END")
    (index,) = ask(app, "/v2/repository/index", method="POST")
    found = {one["name"]: (one["version"], one["state"]) for one in index.json()}
    assert found == {"empty": ("0", "UNAVAILABLE"), "zero": ("0", "READY")}
    (missing,) = ask(app, "/v1/models/empty/versions/0")
    assert missing.status_code == 404
    assert missing.json()["error"] == "model 'empty' has no version 0; it has none."
    (metrics,) = ask(app, "/metrics")
    assert 'mcdropout_model_ready{model="empty",version="0"} 0.0' in metrics.text
