"""What the page shows of a model's calibration."""

import json

import pytest
from playwright.sync_api import Route

from tests.ui.screen import Screen

pytestmark = pytest.mark.slow


def test_calibrated_answer_is_shown_as_abstained_with_its_set(screen: Screen) -> None:
    reason = "predictive_entropy is above 0.1"
    found = {
        "accept": False,
        "reason": reason,
        "prediction_set": ["2", "7"],
        "calibrated": [0.1] * 10,
    }

    def calibrated(route: Route) -> None:
        lines = [json.loads(line) for line in route.fetch().text().splitlines()]
        for line in lines:
            line["predictions"][0] |= found
        route.fulfill(body="".join(json.dumps(line) + "\n" for line in lines))

    screen.page.route("**/digits:predict", calibrated)
    screen.choose("digits")
    badge = screen.page.locator(".badge")
    assert badge.inner_text().split("\n")[0].startswith("abstained")
    assert reason in badge.inner_text()
    assert "Prediction set: 2, 7" in screen.page.inner_text(".hero")
    assert screen.page.locator("tr.member").count() == 2
    assert screen.value("[data-calibrated]") == 0.1


def test_dropout_rates_begin_with_those_of_the_calibration(screen: Screen) -> None:
    details = screen.client.get("/v1/models/digits").json()
    details["calibration"] = {"rate_scale": 0.75, "sites": ["drop_hidden"]}
    screen.page.route("**/v1/models/digits", lambda route: route.fulfill(json=details))
    screen.choose("digits")
    assert screen.option("rate_scale").locator("input[type=text]").input_value() == "0.75"
    assert screen.option("sites").get_by_label("drop_maps").is_checked() is False
    # The server's own defaults are not sent.
    assert '"rate_scale"' not in screen.page.inner_text("#snippet")
    assert '"sites"' not in screen.page.inner_text("#snippet")
