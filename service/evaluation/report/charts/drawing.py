"""SVG: an element tree in the colors of the page's style sheet, with a name and a description.

A drawing is 330 units wide, which is about the width of a phone, so that its text is readable
there; on a wide screen drawings stand side by side. Colors and line styles are classes of
`page.css`, so that one drawing serves light, dark and print.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple
from xml.etree import ElementTree

from markupsafe import Markup

WIDTH = 330.0
#: Classes `s1`, `s2` … of the style sheet: colors and dashes that differ for everyone.
STYLES = 6
#: Points of a line that are nearer to each other, in units, look like one.
_NEAR = 1.0

Points = Iterable[tuple[float, float]]


class Heading(NamedTuple):
    """What a drawing is called: an id that is unique in the page, and for those who do not see the
    image its title and a description of what is on it."""

    name: str
    title: str
    about: str


class Drawing:
    """An SVG image that grows by `add`; `markup` is its text.

    Everything that data can choose is an attribute or the text of an element, and is escaped.
    """

    def __init__(self, heading: Heading, height: float) -> None:
        name = heading.name
        self.height = height
        self._root = ElementTree.Element(
            "svg",
            {
                "viewBox": f"0 0 {_number(WIDTH)} {_number(height)}",
                "role": "img",
                "aria-labelledby": f"{name}-title {name}-about",
            },
        )
        self.add("title", text=heading.title, id=f"{name}-title")
        self.add("desc", text=heading.about, id=f"{name}-about")

    def add(
        self, tag: str, *classes: str, text: str | None = None, hint: str = "", **attributes: object
    ) -> ElementTree.Element:
        """A new element, over the earlier ones.

        Args:
            hint: shown while the mouse is over the element.
            attributes: numbers are rounded to a tenth of a unit; `_` in a name is written `-`.
        """
        named = {key.replace("_", "-"): _number(value) for key, value in attributes.items()}
        if classes:
            named["class"] = " ".join(classes)
        element = ElementTree.SubElement(self._root, tag, named)
        element.text = text
        if hint:
            ElementTree.SubElement(element, "title").text = hint
        return element

    def line(self, points: Points, *classes: str, hint: str = "") -> None:
        """A line through the finite points, none of them nearer than the eye can see."""
        if path := _path(points):
            self.add("path", "line", *classes, d=path, hint=hint)

    def area(self, points: Points, *classes: str) -> None:
        """The inside of a polygon."""
        if path := _path(points):
            self.add("path", "area", *classes, d=f"{path}Z")

    def text(self, x: float, y: float, said: str, *classes: str) -> None:
        """A line of text that starts at a position; with the class `mid` or `end`, its middle or
        end is there."""
        self.add("text", *classes, text=said, x=x, y=y)

    def bar(self, across: tuple[float, float], along: tuple[float, float], *classes: str) -> None:
        """A rectangle between two x and two y positions, in any order."""
        (left, right), (top, bottom) = sorted(across), sorted(along)
        self.add("rect", *classes, x=left, y=top, width=right - left, height=bottom - top)

    def markup(self) -> Markup:
        """The text of the image, for the template."""
        return Markup(ElementTree.tostring(self._root, encoding="unicode"))


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return str(value)


def _path(points: Points) -> str:
    """Move and line commands through the finite points that are far enough apart to be seen."""
    finite = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    kept = finite[:1]
    for point in finite[1:]:
        if math.dist(point, kept[-1]) < _NEAR:
            continue
        if len(kept) > 1 and _level(*kept[-2:], point):
            kept.pop()
        kept.append(point)
    kept.extend(point for point in finite[-1:] if point != kept[-1])
    return "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in kept) if kept else ""


def _level(*points: tuple[float, float]) -> bool:
    """Whether the points are on one horizontal or vertical line, as those of a step are."""
    return any(len(set(positions)) == 1 for positions in zip(*points, strict=True))


def style_of(index: int) -> str:
    """The class of the series with this index; those beyond the styles are plain."""
    return f"s{index + 1}" if index < STYLES else "s0"


def shortened(label: str, characters: int) -> str:
    """A label that fits, cut at its end."""
    return label if len(label) <= characters else label[: characters - 1].rstrip() + "…"


def steps(edges: Sequence[float], heights: Sequence[float]) -> list[tuple[float, float]]:
    """The outline of a histogram: two points a bin, from the left edge to the right one."""
    pairs = zip(pairwise(edges), heights, strict=True)
    return [(x, height) for (left, right), height in pairs for x in (left, right)]
