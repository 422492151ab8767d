"""Fixtures for several test files: the demo models, a server, an editable artifact."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import onnx
import pytest
from playwright.sync_api import Browser

from scripts.browser import launched
from scripts.local_server import LocalServer, local_server
from service import Predictor, load_model
from tests.browser import required_browser

ROOT = Path(__file__).resolve().parent.parent
STORE = ROOT / "models" / "store"
#: Maximum error of a statistic in standard errors; chance exceeds it about once in 5e8 tests.
SIGMAS = 6.0

EditArtifact = Callable[[Callable[[onnx.ModelProto], None]], Path]


def pytest_collection_finish() -> None:
    """Exclude all that was imported from garbage collection.

    Keras collects at each test's `clear_session`, which took 0.2 s for TensorFlow's objects.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def digits_path() -> Path:
    return STORE / "digits" / "1" / "model.onnx"


@pytest.fixture(scope="session")
def digits(digits_path: Path) -> Predictor:
    return load_model(digits_path)


@pytest.fixture(scope="session")
def server() -> Iterator[LocalServer]:
    """A server process with the demo models."""
    with local_server(STORE) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: LocalServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as http:
        yield http


# Of a module, because Playwright keeps an event loop running, in which no `asyncio.run` works.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium process."""
    with launched(required_browser()) as running:
        yield running


@pytest.fixture
def edit_artifact(digits_path: Path, tmp_path: Path) -> EditArtifact:
    """Write a changed copy of the digits artifact; returns its path."""

    def edit(change: Callable[[onnx.ModelProto], None]) -> Path:
        model = onnx.load(digits_path)
        change(model)
        path = tmp_path / "model.onnx"
        onnx.save(model, path)
        return path

    return edit
