"""The page of a server with the demo models."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser

from scripts.local_server import LocalServer
from tests.browser import opened
from tests.ui.screen import Screen


@pytest.fixture(scope="module")
def window(browser: Browser, server: LocalServer, client: httpx.Client) -> Iterator[Screen]:
    """A window that the tests of a file share."""
    with opened(browser, server.url) as found:
        yield Screen(found, client, server.url)


@pytest.fixture
def screen(window: Screen) -> Iterator[Screen]:
    """The page, loaded anew, after its first answer."""
    window.load()
    yield window
    window.page.unroute_all()
    window.require_clean()
