import math

import numpy as np
import pytest

from service.core.distributions.bernoulli import Bernoulli, quantized_rate
from service.core.streams import Stream
from tests.conftest import SIGMAS

PINNED = [
    (0.5, ["111010000011001011001111", "100111001010000111110101"]),
    (0.25, ["111111100111011011001111", "110111001111110111111101"]),
    (0.3, ["010111110000001110111111", "101001101110111011111011"]),
]


def masks_of(
    rate: float,
    passes: range,
    shape: tuple[int, ...],
    seed: int = 7,
    site: int = 0,
    row: int = 0,
) -> np.ndarray:
    return Bernoulli().row(Stream(seed, site, passes, row), shape, np.float32, rate)


def draw(
    seed: int = 7, site: int = 0, passes: range = range(400), rate: float = 0.3, row: int = 0
) -> np.ndarray:
    return masks_of(rate, passes, (50,), seed, site, row)


#: The rates up to 0.9375 are drawn by bit planes, the others with 16 bits per element.
RATES = [0.5, 0.25, 0.125, 0.9375, 0.001, 0.1, 0.3, 0.9, 0.999]
#: 16 bits would have a relative error of at least one half.
EXTREME = [1e-5, 3e-6, 1e-6, 1 - 1e-5, 1 - 1e-6]


@pytest.mark.parametrize("rate", RATES)
def test_masks_drop_at_their_rate_and_keep_the_mean(rate: float) -> None:
    masks = draw(rate=rate, passes=range(4000))
    error = math.sqrt(rate * (1 - rate) / masks.size)
    assert abs((masks == 0).mean() - quantized_rate(rate)) < SIGMAS * error
    # E[scaled mask] = 1 exactly, with variance q/(1-q).
    mean = masks.mean() * Bernoulli().scale(rate)
    assert abs(mean - 1) < SIGMAS * math.sqrt(rate / (1 - rate) / masks.size)


@pytest.mark.parametrize("rate", RATES)
def test_bits_of_a_mask_are_independent(rate: float) -> None:
    """Chi-square of the number kept of four neighbors, against the binomial distribution."""
    kept = draw(rate=rate, passes=range(8000))[:, :48].reshape(-1, 4).sum(axis=1)
    p = 1 - quantized_rate(rate)
    wanted = np.array([math.comb(4, k) * p**k * (1 - p) ** (4 - k) for k in range(5)]) * len(kept)
    observed = np.bincount(kept, minlength=5).astype(float)
    usual = wanted >= 5
    cells = [*zip(observed[usual], wanted[usual], strict=True)]
    if not usual.all():
        cells.append((observed[~usual].sum(), max(wanted[~usual].sum(), 1e-9)))
    square = sum((o - w) ** 2 / w for o, w in cells if w >= 0.5)
    # The 1 - 1e-7 quantile of chi-square with four degrees of freedom is 38.2.
    assert square < 38.2


def test_masks_consist_of_zeros_and_ones() -> None:
    masks = draw(rate=0.3)
    assert masks.dtype == np.uint8
    assert np.unique(masks).tolist() == [0, 1]


def test_rate_zero_keeps_everything_and_rate_one_nothing() -> None:
    assert (draw(rate=0.0) == 1).all()
    assert (draw(rate=1.0) == 0).all()
    assert (Bernoulli().scale(0.0), Bernoulli().scale(1.0)) == (1.0, 0.0)


def test_quantized_rate_is_within_half_a_level() -> None:
    for rate in (0.1, 1 / 3, 0.7):
        assert abs(quantized_rate(rate) - rate) <= 0.5 / 65536
    assert quantized_rate(0.0) == 0.0
    assert quantized_rate(1.0) == 1.0


@pytest.mark.parametrize("rate", [*EXTREME, 1 / 257, 2**-24, 1 - 2**-24])
def test_quantized_rate_near_zero_and_one_is_within_1_in_512(
    rate: float,
) -> None:
    q = quantized_rate(rate)
    assert q == pytest.approx(rate, abs=min(rate, 1 - rate) / 512)
    assert 0 < q < 1


@pytest.mark.parametrize("rate", EXTREME)
def test_masks_near_zero_and_one_drop_at_their_rate(rate: float) -> None:
    parts = [masks_of(rate, range(n, n + 50), (1 << 17,)) for n in range(0, 400, 50)]
    rare = min(rate, 1 - rate)
    found = sum(int((part == (rate < 0.5)).size - (part == (rate < 0.5)).sum()) for part in parts)
    wanted = rare * sum(part.size for part in parts)
    assert abs(found - wanted) < SIGMAS * math.sqrt(wanted)


@pytest.mark.parametrize("rate", [0.5, 0.25, 0.3])
@pytest.mark.parametrize("size", [1, 8, 50, 256, 257])
def test_masks_do_not_depend_on_chunks(rate: float, size: int) -> None:
    whole = masks_of(rate, range(10), (size,))
    parts = [masks_of(rate, range(at, at + 2), (size,)) for at in range(0, 10, 2)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    np.testing.assert_array_equal(whole[7:8], masks_of(rate, range(7, 8), (size,)))


@pytest.mark.parametrize(("rate", "pinned"), PINNED)
def test_masks_are_pinned(rate: float, pinned: list[str]) -> None:
    """A change here would change the answers that stored seeds reproduce."""
    kept = masks_of(rate, range(5, 7), (24,), seed=2016, site=3)
    assert ["".join(map(str, row)) for row in kept.tolist()] == pinned


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"seed": 1}, {"seed": 2}),
        ({"site": 0}, {"site": 1}),
        ({"passes": range(400)}, {"passes": range(400, 800)}),
        ({"row": 0}, {"row": 1}),
    ],
)
def test_seeds_sites_passes_and_rows_are_uncorrelated(a: dict[str, int], b: dict[str, int]) -> None:
    first, second = draw(rate=0.5, **a).ravel(), draw(rate=0.5, **b).ravel()  # type: ignore[arg-type]
    correlation = np.corrcoef(first, second)[0, 1]
    assert abs(correlation) < SIGMAS / math.sqrt(first.size)


def test_elements_of_a_mask_are_uncorrelated() -> None:
    masks = draw(rate=0.5, passes=range(20000))
    correlations = np.corrcoef(masks, rowvar=False) - np.eye(masks.shape[1])
    assert np.abs(correlations).max() < SIGMAS / math.sqrt(len(masks))


def test_masks_have_the_requested_shape() -> None:
    for rate in (0.0, 0.25, 0.3, 1.0):
        assert masks_of(rate, range(3), (1, 2, 5)).shape == (3, 1, 2, 5)


def test_the_rarer_of_kept_and_dropped_elements_is_unusual() -> None:
    assert Bernoulli().share_unusual(0.1) == 0.1
    assert Bernoulli().share_unusual(1 - 1e-5) == pytest.approx(1e-5)
