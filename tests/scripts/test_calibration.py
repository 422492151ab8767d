"""The command behind the numbers of docs/calibrate.md, with little effort."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from scripts.calibration.co2 import METHODS, Effort, measured, plot, tables
from scripts.calibration.early_co2 import BEYOND, divided
from scripts.calibration.passes import NUMBERS, passes_table


def test_weeks_of_the_tests_did_not_train() -> None:
    weeks = divided()
    assert not {*weeks.trained.year[:, 0]} & {*weeks.held.year[:, 0]}
    assert max(weeks.trained.year.max(), weeks.held.year.max()) < BEYOND < weeks.late.year.max()


@pytest.mark.slow
def test_intervals_are_measured_inside_and_beyond_the_data(tmp_path: Path) -> None:
    found = measured(Effort(epochs=2, divisions=8, passes=16))
    assert found.before["nll"].mean() > found.after["nll"].mean()
    assert {*found.covered} == {*found.ends} == {*METHODS}
    for method in METHODS:
        covered, widths = found.covered[method].T
        assert 0.8 < covered.mean() < 1
        assert widths.min() > 0
        assert np.isfinite(found.ends[method]).all()
    for table in tables(found):
        Console(quiet=True).print(table)
    plot(found, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size < 150_000


@pytest.mark.slow
def test_promises_are_measured_with_other_passes() -> None:
    cells = [[*column.cells] for column in passes_table(runs=1, divisions=4).columns]
    assert cells[0] == ["100, as calibrated", *(str(number) for number in NUMBERS)]
    assert cells[1] == ["1", *(str(1000 // number) for number in NUMBERS)]
    assert all(0.8 < float(str(text).split(",")[0]) < 1 for text in cells[2])
