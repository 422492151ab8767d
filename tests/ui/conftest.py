"""A browser, and the page of a server with the demo models."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser

from scripts.local_server import LocalServer
from tests.browser import chromium, watched
from tests.ui.screen import Screen


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def opened(browser: Browser, server: LocalServer, client: httpx.Client) -> Iterator[Screen]:
    """A window that the tests of a file share."""
    with watched(browser, server.url.removeprefix("http://")) as (page, watch):
        yield Screen(page, watch, client, server.url)


@pytest.fixture
def screen(opened: Screen) -> Iterator[Screen]:
    """The page, loaded anew, after its first answer."""
    opened.load()
    yield opened
    opened.page.unroute_all()
    opened.watch.require_clean()
