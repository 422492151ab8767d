import math

import numpy as np
import pytest

from service.core.masks import draw_masks, quantised_rate
from tests.conftest import SIGMAS


def draw(seed: int = 7, site: int = 0, passes: range = range(400), rate: float = 0.3) -> np.ndarray:
    return draw_masks(seed, site, passes, (50,), rate)


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.3, 0.5, 0.9, 0.999])
def test_masks_drop_at_their_rate_and_keep_the_mean(rate: float) -> None:
    masks = draw(rate=rate, passes=range(4000))
    error = math.sqrt(rate * (1 - rate) / masks.size)
    assert abs((masks == 0).mean() - quantised_rate(rate)) < SIGMAS * error
    # E[mask] = 1 exactly, with variance q/(1-q).
    assert abs(masks.mean() - 1) < SIGMAS * math.sqrt(rate / (1 - rate) / masks.size)


def test_masks_hold_two_values() -> None:
    q = quantised_rate(0.3)
    np.testing.assert_allclose(np.unique(draw(rate=0.3)), [0.0, 1 / (1 - q)], rtol=1e-6)


def test_rate_zero_keeps_everything() -> None:
    assert (draw(rate=0.0) == 1.0).all()


def test_quantised_rate_is_within_half_a_level_and_below_one() -> None:
    for rate in (0.1, 1 / 3, 0.7):
        assert abs(quantised_rate(rate) - rate) <= 0.5 / 65536
    assert quantised_rate(1 - 1e-9) == 65535 / 65536


def test_masks_do_not_depend_on_how_passes_are_cut() -> None:
    whole = draw(passes=range(10))
    parts = [draw(passes=range(start, start + 2)) for start in range(0, 10, 2)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    np.testing.assert_array_equal(whole[7:8], draw(passes=range(7, 8)))


def test_masks_are_the_same_everywhere() -> None:
    """Pinned: a change here would change the answer that a stored seed replays."""
    kept = (draw_masks(2016, 3, range(5, 7), (24,), 0.5) > 0).astype(int)
    rows = ["".join(map(str, row)) for row in kept.tolist()]
    assert rows == ["101000001111110011001000", "111110011111100100000110"]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"seed": 1}, {"seed": 2}),
        ({"site": 0}, {"site": 1}),
        ({"passes": range(400)}, {"passes": range(400, 800)}),
    ],
)
def test_seeds_sites_and_passes_are_uncorrelated(a: dict[str, int], b: dict[str, int]) -> None:
    first, second = draw(rate=0.5, **a).ravel(), draw(rate=0.5, **b).ravel()  # type: ignore[arg-type]
    correlation = np.corrcoef(first, second)[0, 1]
    assert abs(correlation) < SIGMAS / math.sqrt(first.size)


def test_elements_of_a_mask_are_uncorrelated() -> None:
    masks = draw(rate=0.5, passes=range(20000))
    correlations = np.corrcoef(masks, rowvar=False) - np.eye(masks.shape[1])
    assert np.abs(correlations).max() < SIGMAS / math.sqrt(len(masks))


def test_masks_have_the_shape_and_dtype_asked_for() -> None:
    masks = draw_masks(0, 0, range(3), (1, 2, 5), 0.5, np.float16)
    assert masks.shape == (3, 1, 2, 5)
    assert masks.dtype == np.float16
