import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.moments import merge, moments


def test_moments_match_numpy_in_float64() -> None:
    samples = np.random.default_rng(0).normal(3.0, 2.0, (400, 5, 3)).astype(np.float32)
    found = moments(samples)
    exact = samples.astype(np.float64)
    np.testing.assert_allclose(found.mean, exact.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.variance, exact.var(axis=0, ddof=1), rtol=1e-10)
    assert found.count == 400


def test_variance_survives_a_mean_a_billion_times_the_spread() -> None:
    spread = np.array([4.0, 7.0, 13.0, 16.0])
    found = moments(1e9 + spread)
    # E[x²] - E[x]² would give a multiple of 128 here.
    assert found.variance == pytest.approx(30.0, rel=1e-9)


def test_variance_survives_a_first_sample_far_from_the_others() -> None:
    samples = np.concatenate([[1e6], np.random.default_rng(0).normal(size=100_000)])
    assert moments(samples).variance == pytest.approx(samples.var(ddof=1), rel=1e-9)


def test_variance_of_equal_samples_is_exactly_zero() -> None:
    assert moments(np.full((50, 2), 0.1, np.float32)).variance.tolist() == [0.0, 0.0]


def test_variance_of_one_sample_is_nan() -> None:
    found = moments(np.array([[1.0, 2.0]]))
    assert found.mean.tolist() == [1.0, 2.0]
    assert np.isnan(found.variance).all()


def test_moments_of_float16_do_not_overflow() -> None:
    samples = np.full((100, 1), 60000.0, np.float16)
    assert moments(samples).mean[0] == samples[0, 0]


@given(
    cuts=st.lists(st.integers(1, 99), unique=True, max_size=6).map(sorted),
    offset=st.sampled_from([0.0, 1.0, -1e6]),
    spread=st.sampled_from([1e-3, 1.0, 1e3]),
)
def test_merged_moments_are_those_of_all_samples(
    cuts: list[int], offset: float, spread: float
) -> None:
    samples = offset + spread * np.random.default_rng(0).standard_normal((100, 3))
    whole, parts = moments(samples), [moments(part) for part in np.split(samples, cuts)]
    merged = parts[0]
    for part in parts[1:]:
        merged = merge(merged, part)
    assert merged.count == whole.count
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12, atol=1e-12 * spread)
    # The mean is rounded to the 16 digits of float64, some of which its magnitude takes.
    digits = 1e-15 * abs(offset) / spread
    np.testing.assert_allclose(merged.variance, whole.variance, rtol=1e-9 + 10 * digits)
