"""What charts draw: the right things at the right places, with poor data, too."""

import math
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from service.evaluation.report.charts.coverage import Level, coverage
from service.evaluation.report.charts.drawing import Heading
from service.evaluation.report.charts.forest import Row, forest
from service.evaluation.report.charts.frame import compact, percent, plain
from service.evaluation.report.charts.histogram import Group, histogram
from service.evaluation.report.charts.passes import After, passes
from service.evaluation.report.charts.reliability import Bin, reliability
from service.evaluation.report.charts.risk_coverage import risk_coverage
from service.evaluation.report.charts.roc import roc
from service.evaluation.report.charts.series import Curve, Estimate

HEADING = Heading("figure", "title", "about")
NAN = Estimate(math.nan, math.nan, math.nan)
HOSTILE = '"><script>alert(1)</script>' * 50


def elements(drawn: Markup, kind: str) -> list[ElementTree.Element]:
    """The elements of which `kind` is a class."""
    root = ElementTree.fromstring(str(drawn))
    return [found for found in root.iter() if kind in found.attrib.get("class", "").split()]


def centers(drawn: Markup) -> list[tuple[float, float]]:
    return [(float(e.attrib["cx"]), float(e.attrib["cy"])) for e in elements(drawn, "dot")]


def test_reliability_draws_filled_bins_and_their_distance_from_the_diagonal() -> None:
    bins = [
        Bin(0.0, 0.5, 0, math.nan, NAN),
        Bin(0.5, 0.75, 50, 0.6, Estimate(0.7, 0.6, 0.8)),
        Bin(0.75, 1.0, 100, 0.9, Estimate(0.9, 0.85, 0.95)),
    ]
    drawn = reliability(HEADING, bins)
    first, last = (float(bar.attrib["height"]) for bar in elements(drawn, "gap"))
    assert first == pytest.approx(0.2 * (300 - 26 - 40 - 56), abs=0.1)  # 0.1 of the range of 0.5
    assert last == 0
    low, high = (float(bar.attrib["height"]) for bar in elements(drawn, "count"))
    assert high == pytest.approx(2 * low, abs=0.1)
    assert len(centers(drawn)) == 2


def test_histogram_draws_shares_of_each_group_to_both_sides() -> None:
    groups = (Group("right", [6, 2]), Group("wrong", [0, 4]))
    drawn = histogram(HEADING, "entropy, nats", [0.0, 1.0, 2.0], groups)
    assert [text.text for text in elements(drawn, "label")] == ["right: 8", "wrong: 4"]
    right, wrong = (element.attrib["d"] for element in elements(drawn, "solid"))
    middle = 26 + (300 - 26 - 40) / 2
    tallest = (300 - 26 - 40) / 2 / 1.08
    assert f" {middle - 0.75 * tallest:.1f}" in right
    assert f" {middle + tallest:.1f}" in wrong


def test_passes_draws_the_value_without_dropout_within_the_frame() -> None:
    series = [After(p, Estimate(1 / p, 0.9 / p, 1.1 / p)) for p in (1, 10, 100)]
    drawn = passes(HEADING, "error", series, deterministic=3.0)
    (line,) = elements(drawn, "chance")
    height = float(line.attrib["d"].split()[-1])
    assert 26 <= height < min(y for _, y in centers(drawn))
    across = [x for x, _ in centers(drawn)]
    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.1)


def test_passes_has_a_logarithmic_axis_where_few_passes_are_much_worse() -> None:
    series = [After(p, Estimate(v, v, v)) for p, v in ((2, 1000), (10, 100), (100, 10))]
    (_, first), (_, second), (_, third) = centers(passes(HEADING, "error", series))
    assert second - first == pytest.approx(third - second, abs=0.2)


def test_risk_coverage_begins_where_errors_begin() -> None:
    late = Curve("late", [(0.5, 0.0), (0.94, 0.0), (0.96, 0.01), (1.0, 0.05)])
    early = Curve("early", [(0.1, 0.5), (1.0, 0.05)])
    for curves, first in (([late], "80\u00a0%"), ([late, early], "20\u00a0%")):
        drawn = risk_coverage(HEADING, curves, oracle=(), risk="share of wrong answers")
        ticks = [text.text for text in elements(drawn, "mid")]
        assert ticks[0] == first


def test_coverage_above_the_diagonal_is_drawn_there() -> None:
    levels = [Level(q, Estimate(q + 0.05, q, q + 0.1)) for q in (0.5, 0.9)]
    drawn = coverage(HEADING, levels, nominal="n", observed="o")
    assert len(elements(drawn, "s1")) == 4  # band, line, two dots
    (_, low), (_, high) = centers(drawn)
    assert low - high == pytest.approx(0.4 * (300 - 26 - 40), abs=0.1)


def test_forest_marks_what_rows_are_compared_with_and_keeps_those_without_a_value() -> None:
    rows = [Row(HOSTILE, Estimate(0.1, 0.0, 0.2), "0.10", "worse"), Row("broken", NAN, "–")]
    drawn = forest(HEADING, rows, against=0.1)
    (place,) = centers(drawn)
    (line,) = elements(drawn, "chance")
    assert line.attrib["d"].startswith(f"M{place[0]:g} ")
    assert [text.text for text in elements(drawn, "value")] == ["0.10", "–"]
    assert [text.text for text in elements(drawn, "label")] == ["worse"]
    assert not elements(forest(HEADING, rows), "chance")


DRAWN_OF_LITTLE: dict[str, Callable[[], Markup]] = {
    "reliability": lambda: reliability(HEADING, [Bin(0.0, 1.0, 0, math.nan, NAN)]),
    "reliability, all right": lambda: reliability(
        HEADING, [Bin(0.9, 1.0, 3, 1.0, Estimate(1.0, 1.0, 1.0))]
    ),
    "risk": lambda: risk_coverage(
        HEADING, [Curve(HOSTILE, [(1.0, math.nan)])], oracle=[(0.0, 0.0), (1.0, 0.0)], risk="r"
    ),
    "roc": lambda: roc(HEADING, [], found=HOSTILE, alarms=HOSTILE),
    "histogram": lambda: histogram(
        HEADING, HOSTILE, [0.0, 1.0], (Group(HOSTILE, [0]), Group(HOSTILE, [0]))
    ),
    "passes": lambda: passes(HEADING, HOSTILE, [After(1, NAN), After(2, NAN)]),
    "coverage": lambda: coverage(HEADING, [], nominal=HOSTILE, observed=HOSTILE),
    "forest": lambda: forest(HEADING, [Row(HOSTILE, NAN, HOSTILE)], against=0.0),
}


@pytest.mark.parametrize("name", DRAWN_OF_LITTLE)
def test_poor_or_hostile_data_still_makes_an_image(name: str) -> None:
    text = str(DRAWN_OF_LITTLE[name]())
    ElementTree.fromstring(text)
    assert "<script>" not in text
    assert '"nan' not in text
    assert "Lnan" not in text


@pytest.mark.parametrize(
    ("value", "text"), [(0.25, "0.25"), (-3.0, "−3"), (1e9, "1e9"), (2e-7, "2e-07"), (1000, "1000")]
)
def test_ticks_have_the_digits_that_they_need(value: float, text: str) -> None:
    assert plain(value) == text


def test_shares_are_percentages() -> None:
    assert percent(0.125) == "12.5\u00a0%"


@pytest.mark.parametrize(
    ("count", "text"),
    [(950, "950"), (1200, "1.2k"), (20_270, "20.3k"), (999_999, "1000k"), (35_000_000, "35M")],
)
def test_numbers_of_rows_are_short(count: int, text: str) -> None:
    assert compact(count) == text
