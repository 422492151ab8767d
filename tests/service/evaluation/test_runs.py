"""Predictions of many rows, part by part, are those of all rows at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.zoo.data import digits_splits
from service import Predictor
from service.errors import InputError
from service.evaluation import runs
from service.evaluation.runs import predict_rows, run_deterministic, run_parts
from service.inference.inputs import ReadRows
from service.protocol.options import Options

MEASURES = ("mutual_information", "variation_ratio", "interval", "deterministic", "label")
#: So little that a row at a time runs, and so much that all do.
ONE_ROW, ALL_ROWS = 1, 1 << 30


@pytest.fixture(scope="module")
def rows() -> ReadRows:
    return ReadRows({"pixels": digits_splits()[1].x[:40]})


@pytest.mark.parametrize("masks", ["shared", "per_row"])
@pytest.mark.parametrize("sampling", ["independent", "stratified"])
@pytest.mark.parametrize("memory", [ONE_ROW, 100_000, ALL_ROWS])
def test_prediction_is_that_of_all_rows_for_any_memory(
    digits: Predictor, rows: ReadRows, masks: Any, sampling: Any, memory: int
) -> None:
    options = Options(passes=60, seed=3, masks=masks, sampling=sampling, measures=MEASURES)
    wanted = digits.predict(rows, 60, 3, MEASURES, masks=masks, sampling=sampling)
    assert predict_rows(digits, rows, options, memory=memory) == wanted


def test_rows_of_all_parts_share_a_random_seed(digits: Predictor, rows: ReadRows) -> None:
    found = predict_rows(digits, rows, Options(passes=4), memory=ONE_ROW)
    assert found == digits.predict(rows, 4, found.seed)


@pytest.mark.parametrize(
    ("sampling", "seen"), [("independent", [2, 10, 30, 50]), ("stratified", [30, 50])]
)
def test_look_gives_the_prediction_of_fewer_passes(
    digits: Predictor, rows: ReadRows, sampling: Any, seen: Sequence[int]
) -> None:
    options = Options(passes=50, seed=1, sampling=sampling, measures=["samples"], masks="per_row")
    parts = list(run_parts(digits, rows, options, looks=(30, 2, 10, 50, 90), memory=200_000))
    last = [part for part in parts if part.rows.stop == 40]
    assert len(parts) > len(last)
    assert [part.prediction.passes for part in last] == seen
    for part in last:
        passes = part.prediction.passes
        alone = digits.predict(rows, passes, 1, ["samples"], sampling=sampling, masks="per_row")
        assert np.array_equal(part.prediction.mean, alone.mean[part.rows])
        assert np.array_equal(part.prediction.variance, alone.variance[part.rows])
        mine, wanted = part.prediction.measures["samples"], alone.measures["samples"]
        assert np.array_equal(mine, wanted[part.rows])


def test_progress_counts_every_sample(digits: Predictor, rows: ReadRows) -> None:
    told: list[int] = []
    predict_rows(digits, rows, Options(passes=30), progress=told.append, memory=20_000)
    assert sum(told) == 40 * 30
    told.clear()
    run_deterministic(digits, rows, progress=told.append)
    assert sum(told) == 40


def test_kept_samples_fit_into_the_memory(digits: Predictor, rows: ReadRows) -> None:
    options = Options(passes=500, seed=1, measures=["interval"])
    sizes = [p.rows.stop - p.rows.start for p in run_parts(digits, rows, options, memory=1 << 20)]
    assert sum(sizes) == 40
    assert max(sizes) * 500 * 10 * runs._SAMPLE <= 1 << 20


def test_stopping_rule_is_refused(digits: Predictor, rows: ReadRows) -> None:
    with pytest.raises(InputError, match="give a number of passes"):
        predict_rows(digits, rows, Options(passes={"max": 100, "tolerance": 0.1}))


def test_deterministic_outputs_are_those_of_the_model(digits: Predictor, rows: ReadRows) -> None:
    found: dict[str, NDArray[Any]] = run_deterministic(digits, rows)
    wanted = digits.predict_deterministic(rows)["probabilities"]
    assert np.array_equal(found["probabilities"], wanted)
