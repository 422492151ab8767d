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


@pytest.fixture
def screen(browser: Browser, server: LocalServer, client: httpx.Client) -> Iterator[Screen]:
    """The page, as it is after its first answer."""
    with watched(browser, server.url.removeprefix("http://")) as (page, watch):
        found = Screen(page, watch, client, server.url)
        found.load()
        yield found
