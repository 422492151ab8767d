import itertools

import numpy as np
import pytest

from service.engine import CPU
from service.graph.artifact import read_artifact
from service.graph.plan import compile_plan
from service.sampler import Sampler
from tests.conftest import SIGMAS, STORE

ROWS = {"year": np.array([[1985.0], [2010.0]], np.float32)}


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    """Five sites of one shape and rate."""
    return Sampler(compile_plan(read_artifact(STORE / "co2" / "1" / "model.onnx")), [CPU])


def test_sites_of_one_shape_have_independent_draws(sampler: Sampler) -> None:
    draws = sampler.draw(ROWS, passes=200, seed=7)
    assert {site.shape for site in draws} == {(200, 1, 320)}
    for a, b in itertools.combinations(draws, 2):
        correlation = np.corrcoef(a.ravel(), b.ravel())[0, 1]
        assert abs(correlation) < SIGMAS / np.sqrt(a.size)


def test_samples_are_ordered_by_row_then_pass(sampler: Sampler) -> None:
    samples = sampler.sample(ROWS, passes=30, seed=7)["ppm"]
    assert samples.shape == (2, 30, 1)
    for row in range(2):
        alone = sampler.sample({"year": ROWS["year"][row : row + 1]}, passes=30, seed=7)["ppm"]
        np.testing.assert_allclose(samples[row], alone[0], rtol=1e-5)


def test_neutral_draws_with_training_on_are_the_deterministic_output(sampler: Sampler) -> None:
    passes = sampler.run(ROWS, sampler.neutral(ROWS, passes=3))["ppm"]
    off = sampler.deterministic(ROWS)["ppm"]
    for index in range(3):
        np.testing.assert_allclose(passes[:, index], off, rtol=1e-6)
