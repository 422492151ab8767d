"""A Chromium that is installed, driven by Playwright, for tests and screenshots."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

#: What packages of Chromium call it.
COMMANDS = ("chromium", "chromium-browser", "google-chrome")
#: Windows in CSS pixels: a small phone, and a usual desktop.
PHONE, DESKTOP = (360, 740), (1440, 900)
NEEDED = f"needs a browser, one of: {', '.join(COMMANDS)} (apt-get install chromium)"


def installed_browser() -> str | None:
    """The path of a Chromium, if there is one."""
    return next(filter(None, map(shutil.which, COMMANDS)), None)


@contextmanager
def launched(path: str) -> Iterator[Browser]:
    """A browser process without a window, that ends with the context."""
    # Chromium's own sandbox does not work as root, which containers usually are.
    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
