"""All of the page by keyboard alone."""

import pytest

from tests.ui.screen import Screen

pytestmark = pytest.mark.slow


def focused(screen: Screen) -> str:
    name = "(e => e.dataset.model ?? e.getAttribute('aria-label') ?? e.innerText)"
    found: str = screen.page.evaluate(f"{name}(document.activeElement)")
    return found


def tab_to(screen: Screen, text: str) -> None:
    for _ in range(60):
        screen.page.keyboard.press("Tab")
        if text in focused(screen):
            return
    raise AssertionError(f"no way to {text!r}")


def test_model_is_chosen_drawn_for_and_asked_by_keys(screen: Screen) -> None:
    press = screen.page.keyboard.press
    press("Tab")
    assert focused(screen) == "Skip to the answer"
    tab_to(screen, "digits")
    press("Enter")
    screen.page.wait_for_selector("#form[data-model=digits]")
    screen.settle()
    tab_to(screen, "Pad to draw pixels on")
    for _ in range(11):
        press("ArrowUp")
    press("Space")
    for _ in range(22):
        press("ArrowDown")
    press("Space")
    screen.settle()
    assert screen.page.inner_text(".hero .big") == "1"
    tab_to(screen, "Passes")
    passes = screen.passes
    press("ArrowRight")
    screen.settle()
    assert screen.passes > passes
    tab_to(screen, "Random each time")
    tab_to(screen, "Predict")
    seed = screen.seed
    press("Enter")
    screen.until(lambda: screen.seed != seed)
    screen.settle()
    tab_to(screen, "Reproduce")
    press("Enter")
    screen.settle("same")
    tab_to(screen, "Python")
    press("Enter")
    assert "from mcdropout import Client" in screen.page.inner_text("#snippet")


def test_focus_can_be_seen(screen: Screen) -> None:
    for _ in range(25):
        screen.page.keyboard.press("Tab")
        style = "(e => getComputedStyle(e).outlineStyle + getComputedStyle(e).outlineWidth)"
        outline = screen.page.evaluate(f"{style}(document.activeElement)")
        assert outline == "solid2px", focused(screen)
