from pathlib import Path

from scripts.inner_masks import INNER, measure, show, worth
from scripts.stratified import load, rows_of


def test_inner_masks_of_digits_are_worth_passes(tmp_path: Path) -> None:
    model = load("digits", tmp_path)
    x = rows_of(model, "digits", 4)
    assert worth(model, x, 400, 4) > 2 * worth(model, x, 400, 1)


def test_a_model_is_measured_and_shown(tmp_path: Path) -> None:
    found = measure("co2", 0.05, 200, tmp_path)
    assert found["site"] == "drop_5"
    assert set(found["inner"]) == set(INNER)
    assert found["inner"][1]["gain"] == 1
    show([found])
