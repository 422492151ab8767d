import numpy as np
import pytest
from scipy.stats import binom

from service.errors import InputError
from service.fitting.conformal import rows_needed, threshold


@pytest.mark.parametrize(
    ("coverage", "needed"), [(0.5, 1), (0.7, 3), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)]
)
def test_rows_needed_are_the_least_that_give_a_threshold(coverage: float, needed: int) -> None:
    assert rows_needed(coverage) == needed
    scores = np.arange(float(needed))
    assert threshold(scores, coverage) == needed - 1
    if needed > 1:
        with pytest.raises(InputError, match=f"needs at least {needed} rows, and there are"):
            threshold(scores[1:], coverage)


def test_threshold_is_the_order_statistic() -> None:
    scores = np.random.default_rng(0).permutation(200).astype(float)
    assert threshold(scores, 0.9) == 181 - 1  # ⌈201 × 0.9⌉ = 181


def test_coverage_that_fits_is_named_in_the_error() -> None:
    with pytest.raises(InputError, match=r"a coverage of at most 0\.909"):
        threshold(np.zeros(10), 0.99)


def test_coverage_over_many_data_sets_is_the_stated_one() -> None:
    rng = np.random.default_rng(1)
    splits, rows, coverage = 20_000, 57, 0.9
    covered = sum(rng.random() <= threshold(rng.random(rows), coverage) for _ in range(splits))
    exact = np.ceil((rows + 1) * coverage) / (rows + 1)
    assert coverage <= exact <= coverage + 1 / (rows + 1)
    low, high = binom.ppf([5e-7, 1 - 5e-7], splits, exact)
    assert low <= covered <= high
