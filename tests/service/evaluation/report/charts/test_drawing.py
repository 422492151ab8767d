"""The text of an image: escaped, named, and not longer than what can be seen."""

import math
from xml.etree import ElementTree

from service.evaluation.report.charts.drawing import Drawing, Heading, shortened, steps

SVG = "{http://www.w3.org/2000/svg}"
HEADING = Heading("figure", "<script>alert(1)</script>", 'about "it" & more')


def test_drawing_has_name_and_description_and_escapes_them() -> None:
    text = str(Drawing(HEADING, 100.0).markup())
    assert "<script>" not in text
    root = ElementTree.fromstring(text)
    assert root.attrib["role"] == "img"
    named = {element.attrib["id"]: element.text for element in root}
    first, second = root.attrib["aria-labelledby"].split()
    assert (named[first], named[second]) == (HEADING.title, HEADING.about)


def path_of(points: list[tuple[float, float]]) -> str:
    drawing = Drawing(HEADING, 100.0)
    drawing.line(points)
    found = ElementTree.fromstring(str(drawing.markup())).find("path")
    return "" if found is None else found.attrib["d"]


def test_line_leaves_out_what_cannot_be_seen() -> None:
    assert path_of([(0, 0), (10, 0), (20, 0), (20, 5.04), (20.02, 5.1)]) == "M0 0L20 0L20 5L20 5.1"
    many = [(index / 1000, 0.001 * index) for index in range(300_000)]
    assert path_of(many).count("L") <= 300 * math.sqrt(2) + 1


def test_line_keeps_the_curve_of_dense_points() -> None:
    arc = [(100 * math.cos(t / 5000), 100 * math.sin(t / 5000)) for t in range(7854)]
    assert path_of(arc).count("L") > 100


def test_line_without_finite_points_is_left_out() -> None:
    assert path_of([(math.nan, 1.0), (1.0, math.inf)]) == ""
    assert path_of([]) == ""


def test_long_labels_are_cut() -> None:
    assert shortened("short", 9) == "short"
    assert shortened("a longer label", 9) == "a longer…"


def test_steps_outline_each_bin() -> None:
    assert steps([0, 1, 3], [5, 7]) == [(0, 5), (1, 5), (1, 7), (3, 7)]
