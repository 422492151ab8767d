import numpy as np
from scipy.special import expit, log_softmax, logit, softmax

from service.core.temperature import tempered

RANDOM = np.random.default_rng(0)


def test_tempered_is_the_softmax_of_divided_logits() -> None:
    logits = RANDOM.normal(0, 5, (50, 3, 10))
    for temperature in (0.3, 1.0, 4.0):
        wanted = softmax(logits / temperature, axis=-1)
        found = tempered(softmax(logits, axis=-1), temperature)
        np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_tempered_of_a_sigmoid_is_that_of_its_divided_logit() -> None:
    p = RANDOM.uniform(0.01, 0.99, (50, 1))
    np.testing.assert_allclose(tempered(p, 2.5), expit(logit(p) / 2.5), rtol=1e-12)


def test_tempered_keeps_zero_and_one() -> None:
    certain = np.array([[0.0, 1.0, 0.0]])
    np.testing.assert_array_equal(tempered(certain, 3.0), certain)
    np.testing.assert_array_equal(tempered(np.array([[1.0], [0.0]]), 0.5), [[1.0], [0.0]])


def test_tempered_of_the_least_probabilities_is_finite() -> None:
    tiny = np.exp(log_softmax([0.0, -700.0]))
    assert np.isfinite(tempered(tiny, 0.1)).all()
    np.testing.assert_allclose(tempered(tiny, 100.0)[1], softmax([0.0, -7.0])[1], rtol=1e-10)
