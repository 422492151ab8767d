"""Metrics of calibrated models."""

import math

from prometheus_client import CollectorRegistry, generate_latest

from service import Predictor
from service.calibration.document import Histogram
from service.serving.calibration import CalibrationMetrics


def test_bins_whose_ends_differ_little_are_series_of_their_own(digits: Predictor) -> None:
    document = digits.calibration.document
    assert document is not None
    edges = (0.5, math.nextafter(0.5, 1))
    reference = {"predictive_entropy": Histogram(edges=edges, counts=(1, 1, 2))}
    model = digits.with_calibration(document.model_copy(update={"reference": reference}))
    registry, metrics = CollectorRegistry(), CalibrationMetrics()
    metrics.loaded = lambda: {("digits", "1"): model}
    registry.register(metrics)
    lines = generate_latest(registry).decode().splitlines()
    found = [line for line in lines if line.startswith("mcdropout_expected_measure_ratio{")]
    assert len({line.split("}")[0] for line in found}) == len(found) == 3
