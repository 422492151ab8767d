"""Metrics of calibrated models."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from service.calibration.document import parse_calibration
from service.serving.calibration import CalibrationMetrics
from tests.service.calibration.documents import fields


@pytest.fixture
def samples() -> dict[str, list[Any]]:
    """By metric, of a calibration whose bins are close: a total variance with much noise."""
    edges = [100.0, 100.0000001, 100.0000002]
    said = fields(reference={"total": {"edges": edges, "counts": [5, 5, 5, 5]}})
    document = parse_calibration(json.dumps(said), "calibration.json")
    metrics = CalibrationMetrics()
    predictor: Any = SimpleNamespace(calibration=SimpleNamespace(document=document))
    metrics.loaded = lambda: {("noisy", "1"): predictor}
    return {family.name: family.samples for family in metrics.collect()}


def test_bins_that_are_close_are_series_of_their_own(samples: dict[str, list[Any]]) -> None:
    ends = [sample.labels["up_to"] for sample in samples["mcdropout_measure_values"]]
    assert ends == ["100.0", "100.0000001", "100.0000002", "+Inf"]


def test_rows_of_the_calibration_are_told(samples: dict[str, list[Any]]) -> None:
    (found,) = samples["mcdropout_calibration_rows"]
    assert found.value == fields()["data"]["rows"]
