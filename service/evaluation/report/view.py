"""What the page shows: plain parts, from which the template makes HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

#: How an answer is meant: `yes` and `no` are what the data shows, `open` is what it leaves open.
Tone = Literal["yes", "open", "no"]


@dataclass(frozen=True)
class Answer:
    """The answer to one question of a reader: in a few words, and in sentences."""

    question: str
    said: str
    tone: Tone
    sentences: Sequence[str]


@dataclass(frozen=True)
class Table:
    """The numbers behind a figure, as text."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Line:
    """An entry of a legend.

    Attributes:
        style: class of the style sheet.
        number: what sums the line up, such as an area with its interval.
    """

    style: str
    label: str
    number: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing with what it shows, how to read it, and its numbers.

    Attributes:
        score: what the numbers of the legend are.
    """

    title: str
    reading: str
    drawing: Markup
    table: Table
    legend: Sequence[Line] = ()
    score: str = ""


@dataclass(frozen=True)
class Section:
    """Figures that answer one question."""

    name: str
    title: str
    lead: Sequence[str]
    figures: Sequence[Figure]


@dataclass(frozen=True)
class Page:
    """A whole report.

    Attributes:
        origin: one line that says what was evaluated and when.
        lead: how good the predictions themselves are.
        facts: names and values that describe data, settings and versions.
        command: what makes this report again, if it is known.
    """

    title: str
    origin: str
    lead: str
    answers: Sequence[Answer]
    sections: Sequence[Section]
    facts: Sequence[tuple[str, str]]
    command: str | None
    warnings: Sequence[str] = ()
