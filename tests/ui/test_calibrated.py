"""What the page shows of a model's calibration."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser

from scripts.browser import PHONE
from scripts.local_server import LocalServer, local_server
from tests.browser import opened
from tests.conftest import ROOT
from tests.service.calibration.models import save_calibrated
from tests.ui.screen import Screen

pytestmark = pytest.mark.slow

TWO = json.loads((ROOT / "docs" / "examples" / "two-digits.json").read_text())["instances"]


@pytest.fixture
def screen(window: Screen) -> Iterator[Screen]:
    """The page, loaded anew, after the first answer of the digits."""
    with window.loaded("digits"):
        yield window


def show(screen: Screen, row: list[float]) -> dict[str, Any]:
    """Ask about a digit, and return the server's answer to the same question."""
    screen.page.eval_on_selector("#inputs details", "details => details.open = true")
    screen.page.fill("#inputs textarea", json.dumps(row))
    screen.settle()
    (found,) = screen.ask("digits", [row], measures=["predictive_entropy"])
    return found


def calibration(screen: Screen) -> dict[str, Any]:
    found: dict[str, Any] = screen.client.get("/v1/models/digits").json()["calibration"]
    return found


@pytest.mark.parametrize(
    ("row", "word", "style"), [(TWO[0], "accepted", "none"), (TWO[1], "abstained", "dashed")]
)
def test_decision_is_told_in_words_and_form(
    screen: Screen, row: list[float], word: str, style: str
) -> None:
    screen.set("seed", 7)
    found = show(screen, row)
    badge = screen.page.inner_text(".badge")
    assert badge.startswith(word)
    assert f"{found['reason']}: {found['predictive_entropy']:.4g}" in badge
    risk = calibration(screen)["selection"]["target_risk"]
    assert (f"At most {100 * risk:.3g} % of accepted answers" in badge) == found["accept"]
    assert f"Prediction set: {', '.join(found['prediction_set'])}" in screen.page.inner_text(
        ".hero"
    )
    assert screen.page.locator("tr.member").count() == len(found["prediction_set"])
    assert screen.value("[data-calibrated]") == max(found["calibrated"])
    assert f", {word}, after 100 passes" in screen.page.inner_text("#summary")
    border = "getComputedStyle(document.querySelector('.hero .big')).borderTopStyle"
    assert screen.page.evaluate(border) == style


def test_panel_tells_what_was_fitted_and_what_is_promised(screen: Screen) -> None:
    found = calibration(screen)
    text = screen.page.inner_text("#calibration")
    assert found["selection"]["guarantee"] in text
    assert f"{found['data']}: {found['rows']} rows" in text
    assert f"{found['temperature']:.3g}" in text
    for rule in found["sets"]:
        assert f"{100 * rule['coverage']:.3g} %" in text
    assert f"at most {found['selection']['threshold']:.4g}" in text


def test_answer_outside_of_the_calibration_says_so(screen: Screen) -> None:
    screen.set("rate_scale", 0.5)
    screen.settle()
    assert screen.page.locator(".badge").count() == 0
    assert "calibrated: the calibration is for other dropout" in screen.page.inner_text(".hero")


def test_answer_of_a_server_that_does_not_calibrate_by_default_says_so(screen: Screen) -> None:
    details = screen.client.get("/v1/models/digits").json()
    assert details["calibration"]["by_default"] is True
    details["calibration"]["by_default"] = False
    screen.page.route("**/v1/models/digits", lambda route: route.fulfill(json=details))
    screen.load("digits")
    screen.set("rate_scale", 0.5)
    screen.settle()
    assert "this server answers without calibration by default" in screen.page.inner_text(".hero")


def test_dropout_rates_begin_with_those_of_the_calibration(screen: Screen) -> None:
    details = screen.client.get("/v1/models/digits").json()
    details["calibration"] |= {"rate_scale": 0.75, "sites": ["drop_hidden"]}
    screen.page.route("**/v1/models/digits", lambda route: route.fulfill(json=details))
    screen.load("digits")
    assert screen.option("rate_scale").locator("input[type=text]").input_value() == "0.75"
    assert screen.option("sites").get_by_label("drop_maps").is_checked() is False
    # The server's own defaults are not sent.
    assert '"rate_scale"' not in screen.page.inner_text("#snippet")
    assert '"sites"' not in screen.page.inner_text("#snippet")


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A regression with normalized intervals and a threshold."""
    folder = tmp_path_factory.mktemp("models")
    save_calibrated(folder, "co2")
    with local_server(folder) as found:
        yield found


def test_band_has_the_calibrated_interval_and_where_it_abstains(
    browser: Browser, calibrated: LocalServer
) -> None:
    with (
        httpx.Client(base_url=calibrated.url, timeout=30) as client,
        opened(browser, calibrated.url, PHONE) as found,
    ):
        screen = Screen(found, client, calibrated.url)
        screen.settle()
        page = screen.page
        page.wait_for_selector(".band-table tbody tr", state="attached")
        read = "rows => rows.map(row => [...row.querySelectorAll('data')].map(x => +x.value))"
        shown = page.locator(".band-table tbody tr").evaluate_all(read)
        assert all(len(row) == 6 and row[4] < row[1] < row[5] for row in shown)
        widths = [high - low for *_, low, high in shown]
        assert np.argmax(widths) in (0, len(shown) - 1)
        legend = page.inner_text(".legend")
        assert "90 % of observations, as calibrated" in legend
        assert "far from its data it promises nothing" in legend
        assert page.locator("path.promised").count() == 2
        assert page.locator("path.abstains").count() >= 1
        page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
        assert found.sideways() == 0
        assert found.serious_violations() == []
        screen.require_clean()


def answered(screen: Screen, **changed: Any) -> None:
    """Ask about the example, of whose answer some parts are others."""
    (prediction,) = screen.ask("digits", [TWO[0]], measures=["predictive_entropy"])
    line = {"passes": 100, "seed": 7, "predictions": [prediction | changed], "final": True}
    kind = "application/x-ndjson"
    screen.page.route(
        "**/v1/models/digits*:predict",
        lambda route: route.fulfill(body=json.dumps(line) + "\n", content_type=kind),
    )
    screen.choose("digits")


def test_empty_set_is_told_as_such(screen: Screen) -> None:
    answered(screen, prediction_set=[])
    said = screen.page.inner_text(".hero")
    assert "Prediction set: empty, as no class is likely enough; such sets hold the right" in said


def test_entropy_of_several_predictions_in_a_row_has_its_own_maximum(screen: Screen) -> None:
    steps = {name: [0.5] * 5 for name in ("predictive_entropy", "expected_entropy")}
    answered(screen, **steps, mutual_information=[0.0] * 5)
    # Ten probabilities are those of two classes at each of five steps.
    assert "of at most 3.47" in screen.page.inner_text("#answer")
