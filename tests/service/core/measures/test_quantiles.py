import math
from typing import Any

import numpy as np
import pytest

from service import load_model
from service.core.measures import read_measures
from service.core.measures.quantiles import Quantiles
from service.errors import InputError
from service.inference.options import Limits
from tests.conftest import STORE
from tests.service.core.measures.of_samples import PLAIN, measured

ROWS = [[1985.0], [2010.0]]


def test_quantiles_are_those_of_the_sorted_samples() -> None:
    samples = np.random.default_rng(0).permutation(101.0 * np.arange(11)).reshape(11, 1, 1)
    found = measured(Quantiles((0.0, 0.1, 0.25, 1.0)), samples)
    np.testing.assert_allclose(found, [[[0.0, 101.0, 252.5, 1010.0]]])


def test_quantiles_of_normal_samples_are_normal() -> None:
    """A sample quantile has variance q(1-q)/(P f²), where f is the density at the quantile."""
    count, sigmas = 400_000, 5.5  # 5.5 standard errors: less than once in a million runs
    samples = np.random.default_rng(1).normal(3.0, 2.0, (count, 1, 1))
    low, middle, high = measured(Quantiles(), samples)[0, 0]
    for found, z, level in ((low, -1.6448536, 0.05), (middle, 0.0, 0.5), (high, 1.6448536, 0.95)):
        density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / 2.0
        error = math.sqrt(level * (1 - level) / count) / density
        assert abs(found - (3.0 + 2.0 * z)) < sigmas * error


def test_quantiles_of_a_model_are_those_of_its_samples() -> None:
    model = load_model(STORE / "co2" / "1" / "model.onnx")
    found = model.predict(ROWS, 500, 7, ["quantiles"])
    assert found.measures["quantiles"].shape == (2, 1, 3)
    assert found == model.predict(ROWS, 500, 7, [{"quantiles": [0.05, 0.5, 0.95]}])
    below = model.predict(ROWS, 500, 7, ["quantiles:0.25:0.75"])
    assert (below.measures["quantiles"][..., 0] < below.mean).all()
    assert (below.measures["quantiles"][..., 1] > below.mean).all()


@pytest.mark.slow
def test_quantiles_need_memory_for_all_samples() -> None:
    model = load_model(STORE / "co2" / "1" / "model.onnx", limits=Limits(memory=1 << 20))
    model.predict(ROWS, 200_000)
    with pytest.raises(InputError, match=r"2 rows × 200000 passes take 2 MiB, and a request may"):
        model.predict(ROWS, 200_000, measures=["quantiles"])


@pytest.mark.parametrize(
    "levels", [[], 1.5, -0.1, math.nan, "0.5", True, [0.5, None], {"level": 0.5}]
)
def test_levels_are_numbers_from_0_to_1(levels: Any) -> None:
    with pytest.raises(InputError, match=r"measures gives 'quantiles' .*; it takes "):
        read_measures([{"quantiles": levels}], [PLAIN])


def test_two_sets_of_levels_in_a_request_are_refused() -> None:
    with pytest.raises(InputError, match="gives 'quantiles' arguments twice; it takes one set"):
        read_measures(["quantiles:0.1", "quantiles:0.9"], [PLAIN])
