from itertools import pairwise

import pytest

from service.core.stopping import grid


@pytest.mark.parametrize("after", [grid.fine, grid.doubling])
def test_looks_are_multiples_of_a_block_of_passes(after: object) -> None:
    """But the last, which is the maximum."""
    looks = grid.looks(2, 99_999, after)  # type: ignore[arg-type]
    assert looks[0] == grid.STEP
    assert all(look % grid.STEP == 0 for look in looks[:-1])
    assert looks[-1] == 99_999
    assert all(a < b for a, b in pairwise(looks))


def test_fine_looks_are_at_most_a_quarter_and_a_block_apart() -> None:
    looks = grid.looks(2, 10**6, grid.fine)
    assert all(b <= 1.25 * a + grid.STEP for a, b in pairwise(looks))


def test_looks_between_minimum_and_maximum() -> None:
    assert grid.looks(2, 100, grid.doubling) == (20, 40, 80, 100)
    assert grid.looks(40, 160, grid.doubling) == (40, 80, 160)
    assert grid.looks(100, 50, grid.doubling) == (50,)
    assert grid.looks(2, 10, grid.fine) == (10,)
