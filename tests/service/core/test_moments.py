import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.moments import Sums, merge, moments
from tests.conftest import SIGMAS


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


def coupled_samples(blocks: int, rest: int, repeats: int) -> np.ndarray:
    """(P, repeats) of x² + z, x stratified on [0, 2): mean 4/3, variance 64/45 + 1."""
    rng = np.random.default_rng(0)
    order = rng.permuted(np.tile(np.arange(20.0), (blocks + 1, repeats, 1)), axis=2)
    x = (order + rng.random(order.shape)) / 10
    y = (x**2 + rng.standard_normal(order.shape)).swapaxes(1, 2).reshape(-1, repeats)
    return y[: 20 * blocks + rest]


@pytest.mark.parametrize(("blocks", "rest"), [(1, 1), (1, 15), (2, 0), (3, 7), (5, 0)])
def test_moments_of_coupled_passes_are_unbiased(blocks: int, rest: int) -> None:
    repeats = 20_000
    samples = coupled_samples(blocks, rest, repeats)
    found = moments(samples, 20)
    assert found.coupled is not None
    for estimates, wanted in ((found.mean, 4 / 3), (found.variance, 64 / 45 + 1)):
        error = SIGMAS * estimates.std() / np.sqrt(repeats)
        assert abs(estimates.mean() - wanted) < error
    if blocks > 1:
        of_mean, wanted = found.coupled.of_mean, found.mean.var()
        # The variance that it is compared with is an estimate itself.
        error = of_mean.std() / np.sqrt(repeats) + wanted * np.sqrt(2 / repeats)
        assert abs(of_mean.mean() - wanted) < SIGMAS * error
    assert (found.variance >= 0).all()
    if blocks < 3:
        biased = samples.var(axis=0, ddof=1)
        assert biased.mean() > 64 / 45 + 1 + SIGMAS * biased.std() / np.sqrt(repeats)


def test_the_standard_error_of_coupled_passes_is_that_of_their_mean() -> None:
    found = moments(coupled_samples(5, 0, 20_000), 20)
    assert np.mean(found.standard_error**2) == pytest.approx(found.mean.var(), rel=0.06)
    assert np.mean(found.variance / found.count) > 1.8 * found.mean.var()


def test_the_standard_error_of_few_coupled_passes_is_an_upper_limit() -> None:
    found = moments(coupled_samples(2, 0, 20_000), 20)
    np.testing.assert_allclose(found.standard_error**2, found.variance / 40 * 20 / 19)
    assert np.mean(found.standard_error**2) > 1.8 * found.mean.var()


def test_coupled_passes_that_agree_have_no_variance_and_no_error() -> None:
    found = moments(np.full((60, 2), 0.1, np.float32), 20)
    assert found.variance.tolist() == found.standard_error.tolist() == [0.0, 0.0]


def test_the_variance_of_one_block_is_nan() -> None:
    assert np.isnan(moments(np.arange(20.0)[:, None], 20).variance).all()


@given(cuts=st.lists(st.integers(1, 99), unique=True, max_size=6).map(sorted))
def test_moments_of_coupled_passes_are_the_same_to_the_bit_in_any_chunks(cuts: list[int]) -> None:
    samples = coupled_samples(4, 11, 3)
    sums = Sums.start(samples, 20)
    for part in np.split(samples, [cut for cut in cuts if cut < len(samples)]):
        sums = sums.add(part)
    found, whole = sums.moments(), moments(samples, 20)
    for name in ("mean", "variance", "standard_error"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))


def nested_samples(passes: int, inner: int, repeats: int, block: int) -> np.ndarray:
    """(P·J, repeats) of a + b·c, of variance 1 + 1/3.

    a is of a pass, from strata of the passes of a block, or independent. So is b, of any pass; c
    differs between its samples, which come from strata, too.
    """
    rng = np.random.default_rng(0)

    def strata(count: int, size: int) -> np.ndarray:
        order = rng.permuted(np.tile(np.arange(float(size)), (count, repeats, 1)), axis=2)
        x = (order + rng.random(order.shape)) / size
        x = np.sqrt(12) * (x - 0.5)
        return np.asarray(x.swapaxes(1, 2).reshape(count * size, repeats))

    whole = -(-passes // block)
    a, b = (strata(whole, block)[:passes].repeat(inner, axis=0) for _ in range(2))
    c = strata(passes, inner) / np.sqrt(3)
    return np.asarray(a + b * c)


@pytest.mark.parametrize("inner", [2, 5])
@pytest.mark.parametrize(("block", "passes"), [(1, 12), (20, 40), (20, 27), (20, 100)])
def test_moments_of_passes_with_several_samples_are_unbiased(
    block: int, passes: int, inner: int
) -> None:
    repeats = 20_000
    found = moments(nested_samples(passes, inner, repeats, block), block, inner)
    assert found.count == passes
    error = found.mean.std() * SIGMAS / np.sqrt(repeats)
    assert abs(found.mean.mean()) < error
    spread = found.variance.std() * SIGMAS / np.sqrt(repeats)
    assert abs(found.variance.mean() - 4 / 3) < spread
    if block == 1 or passes == 100:
        square = found.standard_error**2
        bound = SIGMAS * (square.std() + (found.mean**2).std()) / np.sqrt(repeats)
        assert abs(square.mean() - (found.mean**2).mean()) < bound


def test_variance_within_passes_that_agree_is_that_of_a_pass() -> None:
    samples = np.tile(np.random.default_rng(0).normal(size=(3, 2)), (50, 1))
    found = moments(samples, inner=3)
    np.testing.assert_allclose(found.variance, samples[:3].var(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.standard_error, 0.0, atol=1e-8)


@pytest.mark.parametrize("block", [1, 20])
def test_chunks_and_rows_do_not_change_moments_of_several_samples_by_a_bit(block: int) -> None:
    samples = np.random.default_rng(0).normal(size=(93 * 9, 3, 1))
    whole = moments(samples, block, inner=9)
    for row in range(3):
        sums = Sums.start(samples[:, row : row + 1], block, 9)
        for part in np.split(samples[:, row : row + 1], [9, 90, 171, 585]):
            sums = sums.add(part)
        found = sums.moments()
        for name in ("mean", "variance", "standard_error"):
            assert getattr(found, name)[0] == getattr(whole, name)[row]
