"""A real browser, for tests of what people see.

Playwright drives a Chromium that is installed. Without one these tests are skipped, except
where CI is set: there a browser has to be.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from scripts.browser import DESKTOP, NEEDED, installed_browser

#: Impacts of axe's rules that a page may not have.
_SERIOUS = ("serious", "critical")


def required_browser() -> str:
    """The path of a Chromium; skips the test, or fails it in CI, if there is none."""
    if path := installed_browser():
        return path
    if os.environ.get("CI"):
        pytest.fail(NEEDED)
    pytest.skip(NEEDED)


@dataclass(frozen=True)
class Opened:
    """A page in a context of its own, and what it did since it was opened.

    Attributes:
        complaints: errors and warnings of the console, and uncaught exceptions.
        requests: the URLs that the page asked for, itself included.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def serious_violations(self) -> list[str]:
        """What axe finds that keeps people from using the page, one line a rule."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{rule['id']}: {rule['help']}: {[node['html'] for node in rule['nodes'][:3]]}"
            for rule in found
            if rule["impact"] in _SERIOUS
        ]

    def sideways(self) -> int:
        """Pixels by which the page is wider than its window: 0 where nothing scrolls sideways."""
        wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.page.evaluate(wider))


@contextmanager
def opened(
    browser: Browser, url: str, size: tuple[int, int] = DESKTOP, *, dark: bool = False
) -> Iterator[Opened]:
    """The page at `url`, in a window of `size` pixels."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light"
    )
    try:
        found = Opened(context.new_page())
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on(
            "console",
            lambda message: (
                found.complaints.append(message.text)
                if message.type in ("error", "warning")
                else None
            ),
        )
        found.page.goto(url)
        yield found
    finally:
        context.close()
