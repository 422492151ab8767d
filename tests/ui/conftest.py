"""The page of a server with the demo models."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser

from scripts.browser import launched
from scripts.local_server import LocalServer
from tests.browser import opened, required_browser
from tests.ui.screen import Screen


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A Chromium process for all of these files, of which none runs an event loop of its own."""
    with launched(required_browser()) as running:
        yield running


@pytest.fixture(scope="module")
def window(browser: Browser, server: LocalServer, client: httpx.Client) -> Iterator[Screen]:
    """A window that the tests of a file share."""
    with opened(browser, server.url) as found:
        yield Screen(found, client, server.url)


@pytest.fixture
def screen(window: Screen) -> Iterator[Screen]:
    """The page, loaded anew, after the first answer of the first model, `co2`."""
    with window.loaded():
        yield window
