"""A regression over a range, far beyond its data."""

import json
from typing import Any

import pytest

from tests.ui.screen import Screen

pytestmark = pytest.mark.slow

LEVELS = [0.05, 0.25, 0.75, 0.95]


def shown(screen: Screen) -> list[list[float]]:
    """Year, mean, and the ends of band and interval, as the table below the plot has them."""
    read = "rows => rows.map(row => [...row.querySelectorAll('data')].map(x => Number(x.value)))"
    found: list[list[float]] = screen.page.locator(".band-table tbody tr").evaluate_all(read)
    return found


def answered(screen: Screen, act: Any) -> list[list[float]]:
    """What is shown when an action's question over the range has been answered."""
    with screen.page.expect_response(
        lambda answer: (
            ":predict" in answer.url and (answer.request.post_data or "").count(",[") > 90
        )
    ) as waited:
        act()
    waited.value.finished()
    asked = json.loads(waited.value.request.post_data or "")["instances"]
    screen.until(lambda: [row[0] for row in shown(screen)] == [year for (year,) in asked])
    return shown(screen)


def field(screen: Screen, end: str) -> Any:
    return screen.page.locator(".range").get_by_label(end, exact=True)


def move(screen: Screen, end: str, value: float) -> list[list[float]]:
    def act() -> None:
        field(screen, end).fill(str(value))
        field(screen, end).press("Enter")

    return answered(screen, act)


def test_band_grows_beyond_the_data_as_the_api_says(screen: Screen) -> None:
    screen.set("seed", 7)
    screen.settle()
    move(screen, "From", 1960)
    inside = move(screen, "To", 2000)
    beyond = move(screen, "To", 2080)
    for rows in (inside, beyond):
        expected = screen.ask(
            "co2", [[year] for year, *_ in rows], measures=[{"quantiles": LEVELS}]
        )
        for (_, mean, low, high, *observed), prediction in zip(rows, expected, strict=True):
            levels = prediction["quantiles"][0]
            assert (mean, low, high) == (prediction["mean"][0], levels[0], levels[3])
            assert observed == prediction["prediction_interval"][0]
    widest = max(high - low for _, _, low, high, *_ in beyond)
    assert widest > 5 * max(high - low for _, _, low, high, *_ in inside)
    assert screen.value("[data-wide]") == pytest.approx(widest)
    assert screen.page.get_attribute("[data-wide]", "data-wide") == "2080"
    assert "times as wide" in screen.page.inner_text(".verdict")
    assert "as calibrated" in screen.page.inner_text(".band .legend")


def test_band_of_an_answer_without_calibration_has_no_interval(screen: Screen) -> None:
    screen.set("rate_scale", 0.5)
    screen.settle()
    screen.until(lambda: {len(row) for row in shown(screen)} == {4})
    assert "calibrated" not in screen.page.inner_text(".band .legend")


def test_plot_is_dragged_to_another_range_and_clicked_for_a_value(screen: Screen) -> None:
    screen.until(lambda: bool(shown(screen)))
    before = float(field(screen, "To").input_value())
    box = screen.page.locator(".band svg").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2

    def drag() -> None:
        screen.page.mouse.move(box["x"] + 500, middle)
        screen.page.mouse.down()
        screen.page.mouse.move(box["x"] + 200, middle, steps=4)
        screen.page.mouse.up()

    drag()
    screen.until(lambda: shown(screen)[-1][0] == float(field(screen, "To").input_value()))
    assert float(field(screen, "To").input_value()) > before + 20
    screen.page.mouse.click(box["x"] + 600, middle)
    screen.settle()
    year = float(screen.page.input_value("[data-input=year] input"))
    assert year > before
    (expected,) = screen.ask("co2", [[year]])
    assert screen.value("[data-mean]") == expected["mean"][0]


def test_ends_are_moved_by_keys(screen: Screen) -> None:
    slider = screen.page.get_by_label("year: to")
    before = float(field(screen, "To").input_value())
    slider.focus()
    for _ in range(3):
        slider.press("PageUp")
    after = float(field(screen, "To").input_value())
    assert after > before
    assert slider.get_attribute("aria-valuetext") == f"{after:g}"
