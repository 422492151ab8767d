"""What a reader sees and does on the page."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from playwright.sync_api import Locator, Page

from tests.browser import Opened

Point = tuple[float, float]

#: Seconds to wait for anything.
PATIENCE = 30
#: How Chromium reports an answer with a 4xx status, of which the page shows the text.
_REFUSED = "Failed to load resource"


@dataclass
class Screen:
    """The page of a server.

    Attributes:
        opened: in the browser.
        client: of the server, which gives what the page should show.
        url: of the server.
    """

    opened: Opened
    client: httpx.Client
    url: str

    @property
    def page(self) -> Page:
        return self.opened.page

    def require_clean(self) -> None:
        """Check that nothing failed, no policy was violated and no other host was asked."""
        complaints = [c for c in self.opened.complaints if not c.startswith(_REFUSED)]
        others = [r for r in self.opened.requests if not r.startswith((self.url, "data:", "blob:"))]
        assert (complaints, others) == ([], [])

    def load(self, model: str | None = None) -> None:
        """Load the page anew, and wait for the first answer of a model, by default the first."""
        self.page.goto(self.url)
        if model:
            self.choose(model)
        else:
            self.settle()

    @contextmanager
    def loaded(self, model: str | None = None) -> Iterator[None]:
        """The page anew; checks at the end that nothing failed."""
        self.load(model)
        yield
        self.page.unroute_all()
        self.require_clean()

    def settle(self, state: str = "done") -> None:
        """Wait until the newest change is answered."""
        self.page.wait_for_selector(f"#run[data-state={state}]")

    def until(self, true: Callable[[], bool]) -> None:
        """Wait; the page's policy does not let Playwright evaluate a condition in it."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < deadline, self.page.inner_text("#answer")
            self.page.wait_for_timeout(20)

    def choose(self, model: str) -> None:
        self.page.click(f"[data-model={model}]")
        self.page.wait_for_selector(f"[data-model={model}][aria-current]")
        self.page.wait_for_selector(f"#form[data-model={model}]")
        self.settle()

    def option(self, name: str) -> Locator:
        """What belongs to an option: its fields and its note."""
        return self.page.locator(f"[data-option={name}]")

    def set(self, option: str, value: object) -> None:
        self.option(option).locator("input[type=text]").fill(str(value))

    def value(self, selector: str) -> float:
        """The exact number behind one that is shown."""
        return float(self.page.locator(selector).first.get_attribute("value") or "nan")

    @property
    def passes(self) -> int:
        return int(self.value("#run [data-passes]"))

    @property
    def seed(self) -> int:
        return int(self.page.get_attribute("#run [data-seed]", "value") or -1)

    @property
    def note(self) -> str:
        return self.page.inner_text("#run .run-note")

    def row(self) -> Any:
        """The row of a model with a pad, as it is sent."""
        return json.loads(self.page.input_value("#inputs textarea"))

    def ask(self, model: str, instances: list[Any], **options: Any) -> list[dict[str, Any]]:
        """The server's predictions, with the passes and the seed on the screen."""
        body = {"instances": instances, "passes": self.passes, "seed": self.seed, **options}
        response = self.client.post(f"/v1/models/{model}:predict", json=body)
        assert response.status_code == 200, response.text
        found: list[dict[str, Any]] = response.json()["predictions"]
        return found

    def draw(self, strokes: list[list[Point]]) -> None:
        """Draw on the pad; points are shares of its side."""
        box = self.page.locator("canvas.pad").bounding_box()
        assert box is not None

        def at(point: Point) -> Point:
            return box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"]

        for stroke in strokes:
            self.page.mouse.move(*at(stroke[0]))
            self.page.mouse.down()
            for point in stroke[1:]:
                self.page.mouse.move(*at(point))
            self.page.mouse.up()
        self.settle()
