from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.core.ordered_sum import BLOCK, OrderedSum


def by_hand(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum, term by term and block by block."""
    blocks, rest = np.zeros(terms.shape[1:]), np.zeros(terms.shape[1:])
    for number, term in enumerate(terms, 1):
        rest = rest + term
        if number % BLOCK == 0:
            blocks, rest = blocks + rest, np.zeros(terms.shape[1:])
    return blocks + rest


@pytest.mark.parametrize("shape", [(), (1,), (2,), (3, 1), (1, 7), (130, 10)])
@given(
    cuts=st.lists(st.integers(1, 3 * BLOCK - 1), unique=True, max_size=5).map(sorted),
    count=st.sampled_from([1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK]),
)
def test_sum_does_not_depend_on_chunks(shape: tuple[int, ...], cuts: list[int], count: int) -> None:
    terms = np.random.default_rng(0).standard_normal((count, *shape)) * 1e3
    found = OrderedSum.zero(shape)
    for first, end in pairwise([0, *(cut for cut in cuts if cut < count), count]):
        found = found.add(terms[first:end])
    assert found.terms == count
    np.testing.assert_array_equal(found.value, by_hand(terms))


@pytest.mark.parametrize("shape", [(1,), (2, 1), (5, 3)])
def test_a_sum_does_not_depend_on_how_its_terms_lie_in_memory(shape: tuple[int, ...]) -> None:
    terms = np.random.default_rng(0).standard_normal((300, *shape))
    found = OrderedSum.zero(shape).add(np.asfortranarray(terms))
    np.testing.assert_array_equal(found.value, by_hand(terms))


def test_rows_of_a_sum_are_sums_of_rows() -> None:
    terms = np.random.default_rng(0).standard_normal((300, 5, 2))
    whole = OrderedSum.zero((5, 2)).add(terms)
    for rows in (slice(1, 2), np.array([3, 0])):
        part = OrderedSum.zero(terms[0][rows].shape).add(terms[:, rows])
        np.testing.assert_array_equal(whole.rows(rows).value, part.value)
