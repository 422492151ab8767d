"""How many masks of the last site a pass should have."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from service import Predictor, load_model
from service.cli.inspection import as_json
from service.inference.inner_masks import gain
from tests.conftest import STORE
from tests.service.inference.test_closed_forms import linear, variance
from tests.service.reference import save


def test_one_mask_gains_nothing() -> None:
    assert gain(1, 0.8, 0.01) == pytest.approx(1)


@pytest.mark.parametrize(("variance_share", "head_share"), [(0.8, 0.01), (0.5, 0.1), (0.3, 0.03)])
def test_gain_is_largest_where_both_stages_share_variance_as_cost(
    variance_share: float, head_share: float
) -> None:
    odds = variance_share / (1 - variance_share) * (1 - head_share) / head_share
    largest = math.sqrt((1 - variance_share) * (1 - head_share))
    largest = (largest + math.sqrt(variance_share * head_share)) ** -2
    gains = [gain(masks, variance_share, head_share) for masks in range(1, 101)]
    assert abs(np.argmax(gains) + 1 - math.sqrt(odds)) < 1
    assert max(gains) == pytest.approx(largest, rel=0.01)


def test_shares_of_a_linear_network(tmp_path: Path) -> None:
    report = linear(tmp_path, 0.25, 0.3).planned.report
    assert report.head_share == pytest.approx((8 + 46 * 8) / (8 + 2 * 46 * 8))
    assert report.inner is not None
    wanted = 1 - (variance(0.25) / variance(0.25, 0.3)).mean()
    assert report.inner.variance_share == pytest.approx(wanted, abs=0.15)
    assert report.inner.site == "d1"


def test_inner_masks_are_suggested_where_they_gain_much(digits: Predictor) -> None:
    co2 = load_model(STORE / "co2" / "1" / "model.onnx")
    inner, other = digits.planned.report.inner, co2.planned.report.inner
    assert inner is not None
    assert other is not None
    assert inner.gain > 2
    assert 4 < inner.suggested < 20
    assert other.gain < 2
    assert other.suggested == 1
    assert json.loads(as_json(digits))["plan"]["inner"] == inner.model_dump()


def test_nothing_is_suggested_for_outputs_that_did_not_vary(tmp_path: Path) -> None:
    body = "[one] a = Dropout(x, rare, on) [two] b = Dropout(a, rare, on) y = Relu(b)"
    constants = "float rare = {0.00001}, bool on = {1}"
    shapes = "float[batch, 4] x", "float[batch, 4] y"
    model = load_model(save(body, tmp_path / "model.onnx", constants, *shapes))
    inner = model.planned.report.inner
    assert inner is not None
    assert inner.variance_share is None
    assert inner.suggested == 1
