from pathlib import Path

import numpy as np
import pytest

from service import load_model
from service.annotations import Annotations
from service.calibration.fingerprint import fingerprint, row_hashes
from service.cli.annotated_copy import write_annotated
from service.evaluation import evaluate
from service.evaluation.overlap import overlap_warnings
from service.fitting import calibrate
from tests.service.fitting import fitted_models as models


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A model that was trained with 40 rows and calibrated with 60 others."""
    path = models.class_model(tmp_path)
    x = models.rows(100, 4, 0)
    known = fingerprint("train.csv", row_hashes({"x": x[:40]}))
    write_annotated(path, path, Annotations(training_data=known))
    calibrate(path, x[40:], np.arange(60) % 4, name="valid.csv", coverages=(0.9,)).save()
    return path


def test_rows_that_a_model_knows_are_named_by_what_was_done_with_them(path: Path) -> None:
    hashes = row_hashes({"x": models.rows(100, 4, 0)})
    trained, calibrated = overlap_warnings("test.csv", hashes, load_model(path))
    assert trained.startswith("40 % of the rows of test.csv are among those of train.csv, with")
    assert "60 % of the rows of test.csv are among those of valid.csv" in calibrated
    assert "the model was calibrated" in calibrated


def test_other_rows_give_no_warning(path: Path) -> None:
    assert overlap_warnings("new", row_hashes({"x": models.rows(50, 4, 1)}), load_model(path)) == []


def test_evaluation_warns_of_rows_that_it_knows(path: Path) -> None:
    x = models.rows(40, 4, 0)
    found = evaluate(path, (x, np.arange(40) % 4), passes=(5,), resamples=20)
    assert "100 % of the rows of data are among those of train.csv" in found.warnings[0]
    assert found.data.sha256 == fingerprint("data", row_hashes({"x": x})).sha256
