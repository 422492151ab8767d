from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.block_sum import BlockSum, Coupled


def estimates(terms: np.ndarray) -> Coupled:
    return BlockSum.zero(terms.shape[1:], 20).add(terms).estimates(terms.var(axis=0) * len(terms))


@pytest.mark.parametrize("count", [40, 60, 100])
def test_whole_blocks_give_the_variance_within_and_between_them(count: int) -> None:
    terms = np.random.default_rng(0).standard_normal((count, 3, 2))
    blocks = terms.reshape(-1, 20, 3, 2)
    of_means = blocks.mean(axis=1).var(axis=0, ddof=1)
    found = estimates(terms)
    np.testing.assert_allclose(found.variance, blocks.var(axis=1).mean(axis=0) + of_means)
    np.testing.assert_allclose(found.of_mean, of_means / (count / 20))


@pytest.mark.parametrize("count", [21, 22, 39, 41, 59, 79])
def test_estimates_are_unbiased_for_terms_of_any_covariance_within_blocks(count: int) -> None:
    """Both are quadratic forms in the terms, whose expectations follow from the covariances."""
    for covariance in (0.0, 1.0, -1 / 19):
        block = np.arange(count) // 20
        matrix = np.where(block[:, None] == block, covariance, 0.0)
        np.fill_diagonal(matrix, 1.0)
        # A term for each eigenvector: the form's values there add up to its expectation.
        values, vectors = np.linalg.eigh(matrix)
        found = estimates(vectors * np.sqrt(np.maximum(values, 0)))
        assert found.variance.sum() == pytest.approx(1.0)
        if count >= 40:
            assert found.of_mean.sum() == pytest.approx(matrix.mean())


@given(
    terms=st.lists(st.floats(-1e6, 1e6), min_size=21, max_size=64),
)
def test_estimates_are_never_negative(terms: list[float]) -> None:
    for values in estimates(np.array(terms)[:, None]):
        assert np.isnan(values).all() or (values >= 0).all()


@pytest.mark.parametrize("count", [1, 19, 20])
def test_one_block_tells_no_variance(count: int) -> None:
    assert np.isnan(estimates(np.arange(float(count))[:, None])).all()


@pytest.mark.parametrize("shape", [(), (1,), (2,), (3, 1), (130, 10)])
@given(
    cuts=st.lists(st.integers(1, 99), unique=True, max_size=5).map(sorted),
    count=st.sampled_from([21, 40, 53, 100]),
)
def test_blocks_are_the_same_to_the_bit_in_any_chunks(
    shape: tuple[int, ...], cuts: list[int], count: int
) -> None:
    terms = np.random.default_rng(0).standard_normal((count, *shape)) * 1e3
    whole = found = BlockSum.zero(shape, 20)
    for first, end in pairwise([0, *(cut for cut in cuts if cut < count), count]):
        found = found.add(terms[first:end])
    for a, b in zip(found, whole.add(terms), strict=True):
        np.testing.assert_array_equal(a, b)


def test_rows_of_blocks_are_blocks_of_rows() -> None:
    terms = np.random.default_rng(0).standard_normal((50, 5, 2))
    whole = BlockSum.zero((5, 2), 20).add(terms)
    for rows in (slice(1, 2), np.array([3, 0])):
        part = BlockSum.zero(terms[0][rows].shape, 20).add(terms[:, rows])
        for a, b in zip(whole.rows(rows), part, strict=True):
            np.testing.assert_array_equal(a, b)
