"""What is there before the first click, at any width, and in the dark."""

import httpx
import pytest
from playwright.sync_api import Browser

from scripts.browser import DESKTOP, PHONE
from scripts.local_server import LocalServer
from tests.browser import opened
from tests.ui.screen import Screen

pytestmark = pytest.mark.slow


def test_first_ready_model_is_asked_about_its_example(screen: Screen) -> None:
    assert screen.page.inner_text("[aria-current] .model-name") == "co2"
    (expected,) = screen.ask("co2", [[2010.5]], measures=["interval"])
    assert screen.value("[data-mean]") == expected["mean"][0]
    assert screen.value("[data-deviation]") == pytest.approx(expected["variance"][0] ** 0.5)
    hero = screen.page.inner_text("#result .hero")
    assert hero.startswith(f"{expected['mean'][0]:.1f}")
    assert "abstained" in hero  # the year is beyond the data
    # For screen readers, the same in a sentence.
    assert screen.page.inner_text("#summary").endswith("after 100 passes.")


def test_models_have_state_version_and_what_verification_saw(screen: Screen) -> None:
    assert screen.page.inner_text("[data-model=digits] .model-about") == "version 1 · ready"
    proof = screen.client.get("/v1/models/co2").json()["proof"]
    text = screen.page.inner_text("#verification")
    for site, rate in proof["drop_rates"].items():
        assert site in text
        assert f"{rate:.3g}" in text


@pytest.mark.parametrize(("size", "dark"), [(PHONE, True), (DESKTOP, False)])
def test_page_fits_and_is_accessible(
    browser: Browser,
    server: LocalServer,
    client: httpx.Client,
    size: tuple[int, int],
    dark: bool,
) -> None:
    with opened(browser, server.url, size, dark=dark) as found:
        screen = Screen(found, client, server.url)
        screen.settle()
        for model in ("co2", "digits"):
            screen.choose(model)
            found.page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
            assert found.sideways() == 0
            assert found.serious_violations() == []
        screen.require_clean()


def test_page_is_painted_soon(screen: Screen) -> None:
    entry = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    assert screen.page.evaluate(entry) < 2000


def test_page_shows_a_model_that_is_still_loading_when_it_is_ready(screen: Screen) -> None:
    """The list is looked at again while a model loads."""
    listing = screen.client.get("/v1/models").json()
    listing["models"][1]["versions"][0]["state"] = "loading"
    screen.page.route("**/v1/models", lambda route: route.fulfill(json=listing), times=1)
    screen.page.goto(screen.url)
    screen.page.wait_for_selector("[data-model=digits][data-state=loading]")
    screen.page.wait_for_selector("[data-model=digits][data-state=ready]")
