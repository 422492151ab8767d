from pathlib import Path

import pytest

from scripts.inner_masks import INNER, ROWS, measure, show
from scripts.stratified import Effort, load, right, rows_of, worth
from service.inference.runner import Draws

EFFORT = Effort(seconds=0.05, gain_passes=200, passes=2000, runs=20)


def test_inner_masks_of_digits_are_worth_passes(tmp_path: Path) -> None:
    model = load("digits", tmp_path)
    x, nested = rows_of(model, "digits", 4), Draws(7, sampling="stratified", inner=4)
    assert worth(model, x, 400, nested) > 2 * worth(model, x, 400)


def test_answers_with_inner_masks_are_right(tmp_path: Path) -> None:
    model = load("digits", tmp_path)
    effort = Effort(seconds=0.0, gain_passes=0, passes=4000, runs=40)
    found = right(model, rows_of(model, "digits", 2), effort, Draws(7, inner=4))
    assert max(found["mean"], found["variance"]) < 6
    assert 0.5 < found["error_ratio"] < 1.5
    assert found["coverage"] > 0.7


@pytest.mark.slow
def test_a_model_is_measured_and_shown(tmp_path: Path) -> None:
    found = measure("digits", EFFORT, tmp_path)
    assert found["suggested"]["site"] == "drop_hidden"
    assert len(found["gains"]) == len(ROWS) * (2 + len(INNER))
    for one in found["gains"]:
        key = f"gain_over_{one['setting']}"
        assert one.get(key, 1.0) == 1
    show([found])
