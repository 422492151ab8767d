import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from service.core.entropy import entropy
from service.core.measures import Facts
from service.core.measures.expected_entropy import ExpectedEntropy
from service.core.measures.facts import PerElement
from service.core.measures.mutual_information import MutualInformation
from service.core.measures.predictive_entropy import PredictiveEntropy
from tests.service.core.measures.of_samples import measured


def predictive_entropy(samples: np.ndarray) -> np.ndarray:
    """Predictive entropy of (B, P, K) samples."""
    return measured(PredictiveEntropy(), samples.swapaxes(0, 1))


def mutual_information(samples: np.ndarray) -> np.ndarray:
    """Mutual information of (B, P, K) samples."""
    return measured(MutualInformation(), samples.swapaxes(0, 1))


CERTAIN_AND_SURE = np.array([[[1.0, 0.0], [1.0, 0.0]]])
CERTAIN_BUT_SPLIT = np.array([[[1.0, 0.0], [0.0, 1.0]]])
UNCERTAIN_TOGETHER = np.array([[[0.5, 0.5], [0.5, 0.5]]])


@pytest.mark.parametrize(
    ("samples", "total", "model"),
    [
        (CERTAIN_AND_SURE, 0.0, 0.0),
        (CERTAIN_BUT_SPLIT, math.log(2), math.log(2)),
        (UNCERTAIN_TOGETHER, math.log(2), 0.0),
    ],
)
def test_measures_of_textbook_cases(samples: np.ndarray, total: float, model: float) -> None:
    assert predictive_entropy(samples)[0] == pytest.approx(total)
    assert mutual_information(samples)[0] == pytest.approx(model)


def test_they_are_those_of_scipy() -> None:
    samples = np.random.default_rng(0).dirichlet(np.ones(4), (50, 6))  # (P, B, K)
    total, noise = stats.entropy(samples.mean(axis=0), axis=-1), stats.entropy(samples, axis=-1)
    np.testing.assert_allclose(measured(PredictiveEntropy(), samples), total)
    np.testing.assert_allclose(measured(ExpectedEntropy(), samples), noise.mean(axis=0))
    np.testing.assert_allclose(measured(MutualInformation(), samples), total - noise.mean(axis=0))


def test_each_element_of_several_has_information_of_its_own() -> None:
    p = np.random.default_rng(0).uniform(0, 1, (50, 6, 3))
    facts = Facts("y", (None, 3), "multilabel_classification", PerElement())
    two = np.stack([1 - p, p], axis=-1)
    for measure in (PredictiveEntropy(), ExpectedEntropy(), MutualInformation()):
        found = measured(measure, p, facts)
        assert found.shape == (6, 3)
        np.testing.assert_allclose(found, measured(measure, two), atol=1e-15)


def test_entropy_of_one_sigmoid_is_bernoulli() -> None:
    p = 0.2
    wanted = -p * math.log(p) - (1 - p) * math.log(1 - p)
    assert entropy(np.array([[p]]))[0] == pytest.approx(wanted)


def test_entropy_of_uniform_is_log_k() -> None:
    assert entropy(np.full(10, 0.1)) == pytest.approx(math.log(10))


@given(
    hnp.arrays(np.float64, (3, 7, 4), elements=st.floats(0.0, 1.0)).map(
        lambda a: (a + 1e-9) / (a + 1e-9).sum(axis=-1, keepdims=True)
    )
)
def test_mutual_information_is_between_zero_and_predictive_entropy(samples: np.ndarray) -> None:
    total, model = predictive_entropy(samples), mutual_information(samples)
    noise = measured(ExpectedEntropy(), samples.swapaxes(0, 1))
    np.testing.assert_allclose(noise + model, total, atol=1e-12)
    assert (noise >= 0).all()
    assert (model >= 0).all()
    assert (model <= total + 1e-12).all()
    assert (total <= math.log(4) + 1e-12).all()
