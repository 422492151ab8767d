"""Options, running estimates, and errors in the server's words."""

import json
from typing import Any

import pytest

from tests.ui.screen import Screen

pytestmark = pytest.mark.slow

MANY = 1_000_000


def test_options_are_asked_for_as_they_are_set(screen: Screen) -> None:
    screen.set("passes", 64)
    screen.set("rate_scale", 0.5)
    screen.set("seed", 7)
    screen.option("sites").get_by_label("drop_2").uncheck()
    screen.option("masks").locator("select").select_option("per_row")
    screen.option("sampling").locator("select").select_option("stratified")
    screen.settle()
    assert (screen.passes, screen.seed) == (64, 7)
    options = {
        "rate_scale": 0.5,
        "sites": ["drop_1", "drop_3", "drop_4", "drop_5"],
        "masks": "per_row",
        "sampling": "stratified",
    }
    (expected,) = screen.ask("co2", [[2010.5]], **options)
    assert screen.value("[data-mean]") == expected["mean"][0]


def test_inner_masks_are_suggested_and_asked_for(screen: Screen) -> None:
    screen.choose("digits")
    suggested = screen.client.get("/v1/models/digits").json()["plan"]["inner"]["suggested"]
    assert f"{suggested} are suggested" in screen.option("inner").inner_text()
    screen.set("passes", 50)
    screen.set("inner", suggested)
    screen.settle()
    (expected,) = screen.ask("digits", [screen.row()], inner=suggested)
    assert screen.value("tr.winner .num data") == max(expected["mean"])
    assert f"in each of {50 * suggested} samples" in screen.page.inner_text("#result")


@pytest.mark.parametrize(
    ("model", "stop", "rule"),
    [
        ("co2", "tolerance", {"tolerance": 0.2}),
        ("digits", "predicted_class", {"decide": {"measure": "predicted_class"}}),
        ("digits", "accept", {"decide": {"measure": "accept"}}),
    ],
)
def test_run_stops_by_a_rule(screen: Screen, model: str, stop: str, rule: dict[str, Any]) -> None:
    screen.choose(model)
    screen.set("passes", 3000)
    screen.option("stop").locator("select").select_option(stop)
    if "tolerance" in rule:
        screen.option("stop").get_by_label("Error of the mean").fill("0.2")
    screen.settle()
    row = [2010.5] if model == "co2" else screen.row()
    (expected,) = screen.ask(model, [row], passes={"max": 3000, **rule})
    shown = screen.value("[data-mean]" if model == "co2" else "tr.winner .num data")
    assert shown == max(expected["mean"])
    assert 20 <= screen.passes < 3000
    assert "passes, settled" in screen.page.inner_text("#run")
    screen.page.click("text=Reproduce")
    screen.settle("same")


def test_error_of_a_rule_stands_beside_the_passes(screen: Screen) -> None:
    screen.option("stop").locator("select").select_option("tolerance")
    screen.option("stop").get_by_label("Error of the mean").fill("-1")
    note = screen.option("passes").get_by_role("alert")
    note.wait_for()
    assert "tolerance" in note.inner_text()


def test_noise_that_only_the_calibration_knows_is_asked_for_with_it(screen: Screen) -> None:
    def asked(scale: str) -> dict[str, Any]:
        """About the row; a question about the range has no such measure."""
        with screen.page.expect_request(
            lambda request: "standard_error" in (request.post_data or "")
        ) as sent:
            screen.set("rate_scale", scale)
        return dict(json.loads(sent.value.post_data or ""))

    other, own = asked("0.5"), asked("1")
    assert "calibrated" not in other
    assert "total" not in other["measures"]
    assert own["calibrated"] is True
    assert "total" in own["measures"]
    assert "predictive_interval" not in own["measures"]


def test_reproduce_gives_the_same_answer(screen: Screen) -> None:
    seed, mean = screen.seed, screen.value("[data-mean]")
    screen.page.click("text=Random each time")
    screen.settle()
    assert screen.seed != seed
    screen.set("seed", seed)
    screen.settle()
    assert screen.value("[data-mean]") == mean
    screen.page.click("text=Reproduce")
    screen.settle("same")
    assert (screen.seed, screen.value("[data-mean]")) == (seed, mean)
    assert screen.note == "Reproduced: the same answer, bit for bit."


def test_estimates_are_shown_as_they_arrive_until_they_are_stopped(screen: Screen) -> None:
    screen.set("passes", MANY)
    seen = [screen.passes]
    for _ in range(3):
        # A slow reader is not shown every estimate.
        screen.until(lambda: screen.passes > seen[-1])
        seen.append(screen.passes)
    screen.page.click("text=Stop")
    screen.settle("stopped")
    assert MANY > screen.passes >= seen[-1]
    # What stays on the screen is an answer of its own, to as many passes.
    (expected,) = screen.ask("co2", [[2010.5]], measures=["standard_error"])
    assert screen.value("[data-mean]") == expected["mean"][0]
    assert screen.value("[data-error]") == expected["standard_error"][0]


def test_monte_carlo_error_shrinks_with_the_passes(screen: Screen) -> None:
    few = screen.value("[data-error]")
    screen.set("passes", 6400)
    screen.settle()
    assert screen.value("[data-error]") == pytest.approx(few / 8, rel=0.5)
    assert len(screen.page.locator("circle.dot").all()) > 5


def test_error_of_an_option_stands_beside_it(screen: Screen) -> None:
    for option, value, text, right in (
        ("passes", "1", "passes is 1; a variance needs at least 2.", "50"),
        ("passes", "many", "passes is 'many'", "50"),
        ("rate_scale", "30", "rate_scale is 30, which changes the rate of site 'drop_1'", "1"),
        ("seed", "-1", "seed is -1; it must be from 0 to", "7"),
    ):
        screen.set(option, value)
        note = screen.option(option).get_by_role("alert")
        note.wait_for()
        assert note.inner_text().startswith(text)
        assert screen.page.get_by_role("alert").filter(visible=True).count() == 1
        screen.set(option, right)
        note.wait_for(state="hidden")


def test_error_of_a_row_stands_beside_its_input(screen: Screen) -> None:
    field = screen.page.locator("[data-input=year] input")
    field.fill("soon")
    note = screen.page.locator("[data-input=year]").get_by_role("alert")
    note.wait_for()
    assert (
        note.inner_text()
        == "instances[0][0] is the string 'soon'; the model expects float32 there."
    )
    field.fill("1985")
    screen.settle()
    assert not note.is_visible()


def test_error_of_switched_off_sites_stands_beside_them(screen: Screen) -> None:
    for box in screen.option("sites").get_by_role("checkbox").all():
        box.uncheck()
    note = screen.option("sites").get_by_role("alert")
    note.wait_for()
    assert note.inner_text().startswith("sites is empty, so that no site is active.")


@pytest.mark.parametrize(("spread", "tolerance"), [(1.2e-17, 6e-19), (0.2, 0.01), (4e9, 2e8)])
def test_tolerance_of_a_model_begins_with_a_share_of_its_spread(
    screen: Screen, spread: float, tolerance: float
) -> None:
    details = screen.client.get("/v1/models/digits").json()
    details["proof"]["spread"] = {"probabilities": spread}
    screen.page.route("**/v1/models/digits", lambda route: route.fulfill(json=details))
    screen.choose("digits")
    assert screen.page.is_hidden("#trouble")
    field = screen.option("stop").locator("input[type=text]")
    assert float(field.input_value()) == tolerance
