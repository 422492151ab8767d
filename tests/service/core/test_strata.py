import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from service.core.strata import BLOCK, _strata, below, uniform
from service.core.streams import Stream
from tests.conftest import SIGMAS

PERMUTATIONS = 6840
#: Thresholds of which some divide a block evenly, as rates of 0.5, 0.1, 1e-5 and 2**-24 have them.
THRESHOLDS = [(1, 1), (58982, 16), (45875, 16), (1, 16), ((1 << 32) - 42950, 32), (255, 32)]

PINNED = ["011111101111111111111111", "111110100010000110111011"]


def kept_of(threshold: int, bits: int, passes: range, size: int = 50) -> NDArray[np.uint8]:
    return below(Stream(7, 1, passes), size, threshold, bits)


def test_the_permutations_move_any_three_passes_to_any_three_strata_equally_often() -> None:
    strata = _strata().T.astype(int)
    assert strata.shape == (PERMUTATIONS, BLOCK)
    assert (np.sort(strata) == np.arange(BLOCK)).all()
    for a, b, c in [(0, 1, 2), (3, 11, 19), (18, 19, 5)]:
        triples = np.unique(strata[:, [a, b, c]] @ [400, 20, 1])
        assert len(triples) == PERMUTATIONS == 20 * 19 * 18


@pytest.mark.parametrize(("threshold", "bits"), [t for t in THRESHOLDS if t[1] <= 16])
def test_a_pass_alone_is_below_a_threshold_by_its_probability(threshold: int, bits: int) -> None:
    """Counted over all 2**32 numbers that a permutation is drawn from."""
    index = np.arange(PERMUTATIONS + 1, dtype=object)
    first = -(-(index << 32) // PERMUTATIONS)  # the first number of each permutation
    numbers = first[1:] - first[:-1]
    whole, part = divmod(BLOCK * threshold, 1 << bits)
    spare = first[:-1] * PERMUTATIONS - (index[:-1] << 32)  # and of it, the lower half
    cut = -(-((part << 32 - bits) - spare) // PERMUTATIONS)
    cut = np.minimum(np.maximum(cut, 0), numbers)
    for stratum in _strata()[[0, 7, 19]].astype(int):
        count = numbers[stratum < whole].sum() + cut[stratum == whole].sum()
        error = Fraction(int(count), 1 << 32) - Fraction(threshold, 1 << bits)
        assert abs(error) < 1e-8


@pytest.mark.parametrize(("threshold", "bits"), THRESHOLDS)
def test_a_block_has_as_many_below_a_threshold_as_it_can(threshold: int, bits: int) -> None:
    passes = 400 if bits < 32 else 40
    size = 50 if bits < 32 else 1 << 17
    counts = kept_of(threshold, bits, range(passes), size).reshape(-1, BLOCK, size).sum(axis=1)
    share = BLOCK * threshold / (1 << bits)
    assert {*np.unique(counts)} <= {math.floor(share), math.ceil(share)}
    error = math.sqrt((share % 1) * (1 - share % 1) / counts.size)
    assert abs(counts.mean() - share) <= SIGMAS * error


@pytest.mark.parametrize(("threshold", "bits"), [(1, 1), (45875, 16), (65000, 16)])
def test_elements_and_blocks_are_uncorrelated_and_passes_of_a_block_are_not(
    threshold: int, bits: int
) -> None:
    kept = kept_of(threshold, bits, range(40_000), 8).reshape(-1, BLOCK, 8).astype(float)
    blocks = len(kept)
    for a, b in combinations(range(8), 2):
        same = np.corrcoef(kept[:, 3, a], kept[:, 3, b])[0, 1]
        other = np.corrcoef(kept[:, 3, a], kept[:, 9, b])[0, 1]
        assert max(abs(same), abs(other)) < SIGMAS / math.sqrt(blocks)
    later = np.corrcoef(kept[:-1, 3].ravel(), kept[1:, 3].ravel())[0, 1]
    assert abs(later) < SIGMAS / math.sqrt(kept[1:, 3].size)
    # Of a fixed number among 20, two are correlated by -1/19; a threshold within a stratum adds
    # the variance of that number.
    p, part = threshold / (1 << bits), BLOCK * threshold % (1 << bits) / (1 << bits)
    own = p * (1 - p)
    wanted = (part * (1 - part) / BLOCK - own) / (BLOCK - 1) / own
    pairs = [np.mean((kept[:, i] - p) * (kept[:, j] - p)) / own for i, j in ((0, 1), (4, 17))]
    for found in pairs:
        assert abs(found - wanted) < 2 * SIGMAS / math.sqrt(blocks * 8)


@pytest.mark.parametrize(("threshold", "bits"), [(1, 1), (45875, 16), (255, 32)])
@pytest.mark.parametrize("size", [1, 8, 257])
def test_masks_are_the_same_in_any_chunks(threshold: int, bits: int, size: int) -> None:
    whole = kept_of(threshold, bits, range(100), size)
    for chunk in (1, 7, 20, 37):
        parts = [
            kept_of(threshold, bits, range(at, min(at + chunk, 100)), size)
            for at in range(0, 100, chunk)
        ]
        np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_uniform_numbers_fill_each_stratum_once_in_a_block() -> None:
    numbers = uniform(Stream(7, 1, range(5, 105)), 50)
    assert numbers.shape == (100, 50)
    assert 0 < numbers.min() < numbers.max() < 1
    whole = numbers[15:95].reshape(4, BLOCK, 50)
    strata = np.sort((whole * BLOCK).astype(int), axis=1)
    assert (strata == np.arange(BLOCK)[:, None]).all()


def test_uniform_numbers_are_uniform_within_their_strata() -> None:
    numbers = uniform(Stream(7, 1, range(2000)), 50)
    counts = np.bincount((numbers * BLOCK % 1 * 16).astype(int).ravel())
    square = ((counts - 6250.0) ** 2 / 6250.0).sum()
    # The 1 - 1e-8 quantile of chi-square with 15 degrees of freedom is 68.03.
    assert square < 68.1


def test_masks_are_the_same_everywhere() -> None:
    """Pinned: a change here would change the answer that a stored seed replays."""
    kept = below(Stream(2016, 3, range(5, 7)), 24, 45875, 16)
    assert ["".join(map(str, row)) for row in kept.tolist()] == PINNED
