"""Calibrations beside the models of a folder, as loading and polling find them."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from service import load_model
from service.repository.registry import Repository
from tests.service.calibration.models import calibrate, save_calibrated
from tests.service.repository.folders import repository

pytestmark = pytest.mark.slow

X = np.zeros((1, 64), np.float32)


def measures(models: Repository) -> list[str]:
    return [*models.predictor("digits")[1].predict(X, 2, 1).measures]


def polled(models: Repository) -> list[str]:
    """After two polls, for files may still be being written at the first."""
    models.poll()
    models.poll()
    return measures(models)


def test_a_calibration_is_added_changed_and_removed(tmp_path: Path) -> None:
    path = save_calibrated(tmp_path)
    document = path.with_name("calibration.json")
    document.unlink()
    models = repository(tmp_path)
    assert measures(models) == []
    calibrate(path)
    assert polled(models) == ["accept", "prediction_set", "calibrated", "reason"]
    calibrate(path, selection=None)
    assert polled(models) == ["prediction_set", "calibrated"]
    document.unlink()
    assert polled(models) == []


def test_a_bad_calibration_leaves_the_model_serving_with_the_old_one(tmp_path: Path) -> None:
    path = save_calibrated(tmp_path)
    models = repository(tmp_path)
    calibrate(path, noise_precision=1.0)
    assert polled(models) == ["accept", "prediction_set", "calibrated", "reason"]
    assert "calibration.json: noise_precision: it is that of" in models.version("digits").reason


def test_a_calibration_that_is_ignored_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_calibrated(tmp_path, noise_precision=1.0)
    models = repository(tmp_path, partial(load_model, on_misfit="ignore"))
    assert measures(models) == []
    said = f"model digits version 1 is served without its calibration: {tmp_path}"
    assert [text for text in caplog.messages if said in text]
