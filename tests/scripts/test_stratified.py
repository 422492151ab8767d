from pathlib import Path

from scripts.stratified import Effort, load, measure, right, rows_of, worth

EFFORT = Effort(seconds=0.05, gain_passes=400, passes=4000, runs=40)


def test_stratified_passes_of_co2_are_worth_several_independent_ones(tmp_path: Path) -> None:
    model = load("co2", tmp_path)
    assert worth(model, rows_of(model, "co2", 8), 800) > 5


def test_answers_of_stratified_passes_are_right(tmp_path: Path) -> None:
    model = load("co2", tmp_path)
    found = right(model, rows_of(model, "co2", 2), EFFORT)
    assert max(found["mean"], found["variance"]) < 6
    assert 0.5 < found["error_ratio"] < 1.5
    assert found["coverage"] > 0.7


def test_a_model_is_measured_and_shown(tmp_path: Path) -> None:
    found = measure("digits", EFFORT, tmp_path)
    assert {*found["cost"]} == {"1", "32"}
    assert found["gain"] > 0
