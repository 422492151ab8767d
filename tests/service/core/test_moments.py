import numpy as np
import pytest

from service.core.moments import moments


def test_moments_match_numpy_in_float64() -> None:
    samples = np.random.default_rng(0).normal(3.0, 2.0, (5, 400, 3)).astype(np.float32)
    found = moments(samples, axis=1)
    exact = samples.astype(np.float64)
    np.testing.assert_allclose(found.mean, exact.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(found.variance, exact.var(axis=1, ddof=1), rtol=1e-10)
    assert found.count == 400


def test_variance_survives_a_mean_a_billion_times_the_spread() -> None:
    spread = np.array([[4.0, 7.0, 13.0, 16.0]])
    found = moments(1e9 + spread, axis=1)
    # E[x²] - E[x]² would give a multiple of 128 here.
    assert found.variance[0] == pytest.approx(30.0, rel=1e-9)


def test_variance_of_equal_samples_is_exactly_zero() -> None:
    assert moments(np.full((2, 50), 0.1, np.float32), axis=1).variance.tolist() == [0.0, 0.0]


def test_variance_of_one_sample_is_nan() -> None:
    found = moments(np.array([[1.0], [2.0]]), axis=1)
    assert found.mean.tolist() == [1.0, 2.0]
    assert np.isnan(found.variance).all()


def test_moments_of_float16_do_not_overflow() -> None:
    samples = np.full((1, 100), 60000.0, np.float16)
    assert moments(samples, axis=1).mean[0] == samples[0, 0]
