"""API keys, a slow server, and one that goes away."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route

from scripts.local_server import free_port, local_server
from tests.browser import opened
from tests.conftest import STORE
from tests.ui.screen import Screen

pytestmark = pytest.mark.slow

KEY = "a-key-that-the-page-asks-for"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model, of which a server starts sooner."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(STORE / "co2", folder / "co2")
    return folder


def enter_key(page: Page, key: str) -> None:
    page.fill("#key", key)
    page.click("#key-dialog button")


def test_key_is_asked_for_and_kept_in_memory_alone(browser: Browser, models: Path) -> None:
    env = {**os.environ, "MCDROPOUT_API_KEYS": f"predict:{KEY}"}
    with (
        local_server(models, env) as server,
        httpx.Client(base_url=server.url, headers={"X-API-Key": KEY}) as client,
        opened(browser, server.url) as found,
    ):
        screen, page = Screen(found, client, server.url), found.page
        page.wait_for_selector("#key-dialog[open]")
        assert page.inner_text("#key-reason").startswith("this server requires a valid API key")
        enter_key(page, "another-key-than-the-right-one")
        page.wait_for_selector("#key-dialog[open] #key:focus")
        assert page.input_value("#key") == ""
        enter_key(page, KEY)
        screen.settle()
        (expected,) = screen.ask("co2", [[2010.5]])
        assert screen.value("[data-mean]") == expected["mean"][0]
        # A snippet names the key's place, and not the key.
        assert '-H "Authorization: Bearer $API_KEY"' in page.inner_text("#snippet")
        assert KEY not in page.content()
        assert page.evaluate("localStorage.length + sessionStorage.length") == 0
        assert page.context.cookies() == []
        page.reload()
        page.wait_for_selector("#key-dialog[open]")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


def test_server_that_dies_in_mid_stream_is_said_and_tried_again(
    browser: Browser, models: Path, stack: ExitStack
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=url) as client:
        with local_server(models, port=port) as server:
            window = stack.enter_context(opened(browser, url))
            screen, page = Screen(window, client, url), window.page
            screen.settle()
            screen.set("passes", 1_000_000)
            screen.until(lambda: screen.passes > 1000)
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
            page.wait_for_selector("#trouble:not([hidden])")
            assert f"The server at 127.0.0.1:{port} is gone" in page.inner_text("#trouble")
            assert screen.note == "The answer was cut off: this is the last estimate that arrived."
            assert screen.passes >= 1000
        screen.set("passes", 100)
        screen.settle("cut")
        with local_server(models, port=port):
            page.click("#trouble button")
            screen.settle()
            assert not page.is_visible("#trouble")
            assert screen.passes == 100
        screen.require_clean()


def test_slow_server_is_said(screen: Screen) -> None:
    held: list[Route] = []
    screen.page.route("**/*:predict", lambda route: held.append(route))
    screen.set("passes", 50)
    screen.until(lambda: screen.note.startswith("The server has not answered for "))
    for route in held:
        route.continue_()
    screen.page.unroute("**/*:predict")
    screen.settle()
    assert screen.note == ""


def test_failed_model_says_why(screen: Screen) -> None:
    listing = screen.client.get("/v1/models").json()
    version = {"version": "3", "state": "failed", "reason": "model.onnx cannot be parsed."}
    listing["models"].insert(0, {"name": "broken", "versions": [version]})
    screen.page.route("**/v1/models", lambda route: route.fulfill(json=listing))
    screen.load()
    # It is not the first view, and does not stop the others.
    assert screen.page.inner_text("[aria-current] .model-name") == "co2"
    assert screen.page.inner_text("[data-model=broken] .model-about") == "version 3 · failed"
    assert screen.page.inner_text(".reason") == "model.onnx cannot be parsed."
    screen.page.click("[data-model=broken]")
    screen.page.wait_for_selector("text=broken cannot answer.")
