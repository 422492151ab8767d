"""Digits drawn on the pad are scaled down as those of the data set, and recognized."""

import math
from collections.abc import Iterator

import numpy as np
import pytest

from models.zoo.data import digits_splits
from tests.ui.screen import Point, Screen

pytestmark = pytest.mark.slow


@pytest.fixture
def screen(window: Screen) -> Iterator[Screen]:
    """The page, loaded anew, after the first answer of the digits."""
    with window.loaded("digits"):
        yield window


def arc(x: float, y: float, width: float, height: float, start: float, end: float) -> list[Point]:
    """Part of an ellipse; angles in turns, from its right end clockwise."""
    turns = np.linspace(start, end, 14) * 2 * math.pi
    return [(x + width * math.cos(t), y + height * math.sin(t)) for t in turns]


#: Strokes of each digit as people write it, as shares of the pad's side.
STROKES: list[list[list[Point]]] = [
    [arc(0.5, 0.5, 0.2, 0.34, -0.25, 0.75)],
    [[(0.4, 0.28), (0.53, 0.16), (0.53, 0.84)]],
    [[*arc(0.48, 0.32, 0.2, 0.16, -0.5, 0.1), (0.28, 0.82), (0.72, 0.82)]],
    [[*arc(0.47, 0.32, 0.18, 0.15, -0.45, 0.25), *arc(0.47, 0.65, 0.2, 0.17, -0.25, 0.45)]],
    [[(0.45, 0.16), (0.3, 0.56), (0.7, 0.56)], [(0.6, 0.4), (0.55, 0.86)]],
    [[(0.68, 0.17), (0.36, 0.17), (0.34, 0.46), *arc(0.48, 0.63, 0.2, 0.19, -0.3, 0.4)]],
    [[(0.58, 0.15), (0.38, 0.45), *arc(0.5, 0.66, 0.17, 0.17, 0.5, 1.5)]],
    [[(0.3, 0.18), (0.7, 0.18), (0.45, 0.84)], [(0.38, 0.5), (0.66, 0.5)]],
    [[*arc(0.5, 0.32, 0.15, 0.16, 0.25, -0.75), *arc(0.5, 0.66, 0.18, 0.18, -0.25, 0.75)]],
    [[*arc(0.5, 0.34, 0.17, 0.18, 0.0, 1.0), (0.66, 0.5), (0.6, 0.84), (0.4, 0.84)]],
]


def numbers(screen: Screen) -> list[list[float]]:
    """Mean and interval of each class."""
    read = "rows => rows.map(row => [...row.querySelectorAll('data')].map(x => Number(x.value)))"
    found: list[list[float]] = screen.page.locator(".bars tbody tr").evaluate_all(read)
    return found


def test_drawn_digits_win_and_have_the_ink_of_the_data_set(screen: Screen) -> None:
    train, _ = digits_splits()
    screen.set("seed", 7)
    ink = []
    for digit, strokes in enumerate(STROKES):
        screen.page.click("text=Clear")
        screen.draw(strokes)
        pixels = np.asarray(screen.row())
        assert pixels.shape == (64,)
        assert set(pixels) <= set(range(17))
        (expected,) = screen.ask("digits", [pixels.tolist()], measures=["label", "interval"])
        assert (expected["label"], screen.page.inner_text(".hero .big")) == (str(digit),) * 2
        assert [row[0] for row in numbers(screen)] == expected["mean"]
        assert [row[1:] for row in numbers(screen)] == expected["interval"]
        # As in the data set, a digit fills the height of its image.
        assert pixels[:8].any()
        assert pixels[-8:].any()
        ink.append(pixels.sum() / np.median(train.x[train.y == digit].sum(1)))
    assert 0.9 < np.mean(ink) < 1.1


def test_example_is_shown_and_can_be_changed_as_numbers(screen: Screen) -> None:
    details = screen.client.get("/v1/models/digits").json()
    assert screen.row() == details["inputs"][0]["example"]
    screen.page.click("text=As numbers")
    image = digits_splits()[1].x[0].tolist()
    screen.page.fill("#inputs textarea", str(image))
    screen.settle()
    (expected,) = screen.ask("digits", [image], measures=["label"])
    assert screen.page.inner_text(".hero .big") == expected["label"]
    read = "canvas => [...canvas.getContext('2d').getImageData(0, 0, 8, 8).data]"
    seen = np.asarray(screen.page.locator("canvas.seen").evaluate(read))[3::4]
    assert np.abs(seen - np.asarray(image) / 16 * 255).max() <= 0.5


def test_uncertainty_is_split_as_the_api_says(screen: Screen) -> None:
    names = ["predictive_entropy", "expected_entropy", "mutual_information", "samples"]
    (expected,) = screen.ask("digits", [screen.row()], measures=names)
    for name, part in zip(names, ("total", "aleatoric", "epistemic"), strict=False):
        assert screen.value(f"[data-part={part}]") == expected[name]
    assert "Probability of 2 in each of 100 passes" in screen.page.inner_text(".panels")
    screen.page.click("[data-class='7'] button")
    assert "Probability of 7 in each of 100 passes" in screen.page.inner_text(".panels")
