"""Pictures of the web page, by `make screenshots`, and how fast it is there.

    python -m scripts.screenshots

Starts a server with the demo models on a free port, and drives an installed Chromium.
"""

import io
import math
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from scripts.browser import NEEDED, installed_browser, launched
from scripts.local_server import local_server
from service.api.ui.routes import STATIC

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "docs" / "images"
DESKTOP, PHONE = (1360, 940), (390, 844)
#: Random seed of what the pictures show.
SEED = "7"
#: Parts of ellipses, from above to below: a 3 that is nearly an 8. Center and half sizes as shares
#: of the pad's side; start and end in turns.
ARCS = ((0.47, 0.32, 0.18, 0.15, -0.6, 0.25), (0.47, 0.65, 0.2, 0.17, -0.25, 0.6))
#: Colors of a picture, which has few.
COLORS = 128
#: Loads of which the median of first contentful paint is taken.
LOADS = 9


def main() -> None:
    """Draw all pictures, and print the page's figures."""
    path = installed_browser()
    if path is None:
        sys.exit(f"screenshots: it {NEEDED}")
    with local_server(ROOT / "models" / "store") as server, launched(path) as browser:
        for name, size, dark in (("page", DESKTOP, False), ("page-dark", DESKTOP, True)):
            with opened(browser, server.url, size, dark) as page:
                wide_range(page)
                save(page, name)
                if dark:
                    digit(page)
                    save(page, f"{name}-digit")
        with opened(browser, server.url, PHONE, dark=False) as page:
            digit(page)
            page.evaluate("document.getElementById('ask-title').scrollIntoView()")
            save(page, "page-phone")
        print(f"first contentful paint: {first_paint(browser, server.url):.0f} ms")
    sizes = [file.stat().st_size for file in STATIC.iterdir()]
    print(f"size of {len(sizes)} files: {sum(sizes) / 1000:.0f} kB")


@contextmanager
def opened(browser: Browser, url: str, size: tuple[int, int], dark: bool) -> Iterator[Page]:
    """The page after its first answer."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(url)
    settled(page)
    yield page
    context.close()


def settled(page: Page) -> None:
    """Wait until the newest change is answered."""
    page.wait_for_selector("#run[data-state=done]")
    page.wait_for_load_state("networkidle")


def wide_range(page: Page) -> None:
    """Carbon dioxide from before its data to far beyond."""
    page.fill("[data-option=seed] input", SEED)
    for label, value in (("From", "1935"), ("To", "2060")):
        field = page.locator(".range").get_by_label(label, exact=True)
        field.fill(value)
        field.press("Enter")
        field.blur()
    drawn = f".band-table tr:last-child td:first-child data[value='{value}']"
    page.wait_for_selector(drawn, state="attached")
    settled(page)


def digit(page: Page) -> None:
    """A digit that is drawn so that the model is not sure."""
    page.click("[data-model=digits]")
    page.wait_for_selector("#form[data-model=digits]")
    page.locator("[data-option=seed] input").evaluate(
        "(field, seed) => { field.value = seed; field.dispatchEvent(new Event('input')); }", SEED
    )
    box = page.locator("canvas.pad").bounding_box()
    if box is None:
        sys.exit("screenshots: the page shows no pad for the model 'digits'")
    points = [point for arc in ARCS for point in ellipse(*arc)]
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*at[0])
    page.mouse.down()
    for point in at[1:]:
        page.mouse.move(*point)
    page.mouse.up()
    settled(page)
    page.mouse.move(0, 0)


def ellipse(
    x: float, y: float, width: float, height: float, start: float, end: float
) -> list[tuple[float, float]]:
    """Points on a part of an ellipse."""
    turns = [2 * math.pi * (start + (end - start) * i / 20) for i in range(21)]
    return [(x + width * math.cos(turn), y + height * math.sin(turn)) for turn in turns]


def save(page: Page, name: str) -> None:
    """Write what the window shows."""
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(COLORS).save(FIGURES / f"{name}.png", optimize=True)


def first_paint(browser: Browser, url: str) -> float:
    """Median milliseconds until the first contentful paint, each in a context without a cache."""
    entry = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    times = []
    for _ in range(LOADS):
        with opened(browser, url, DESKTOP, dark=False) as page:
            times.append(float(page.evaluate(entry)))
    return statistics.median(times)


if __name__ == "__main__":
    main()
