from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from service.errors import FittingError
from service.fitting.selection import (
    Judged,
    accepted,
    risk_bound,
    starting_ranks,
    threshold_of_risk,
)

Array = np.ndarray[Any, Any]


def judged(rows: int, rng: np.random.Generator) -> Judged:
    """Rows that are wrong with a probability equal to their doubt to the fourth."""
    doubt = rng.random(rows)
    return Judged(doubt, rng.random(rows) < doubt**4)


def risk(threshold: float) -> float:
    """Of a threshold on `judged`: the mean of x⁴ for x below it."""
    return threshold**4 / 5


def test_risk_of_the_threshold_is_below_the_target_in_the_promised_share_of_runs() -> None:
    rng, runs, target, confidence = np.random.default_rng(0), 1000, 0.05, 0.9
    found = [threshold_of_risk(judged(1000, rng), target, confidence) for _ in range(runs)]
    kept = sum(risk(one.threshold) <= target for one in found)
    assert kept >= binom.ppf(1e-7, runs, confidence)
    # It is not merely careful: it accepts most of what could be accepted, 0.71 of the rows.
    assert np.mean([one.share for one in found]) > 0.88 * (5 * target) ** 0.25


def test_risk_is_kept_where_the_limit_is_tight() -> None:
    """All rows have the same risk, just above the target, so that to accept any is an error."""
    rng, runs = np.random.default_rng(3), 600
    failed = 0
    for _ in range(runs):
        rows = Judged(rng.random(200), rng.random(200) < 0.1001)
        try:
            threshold_of_risk(rows, 0.1, 0.8)
            failed += 1
        except FittingError:
            pass
    assert failed <= binom.ppf(1 - 1e-7, runs, 0.2)


def test_what_a_threshold_accepts_is_counted() -> None:
    rows = Judged(np.array([0.1, 0.2, 0.3, 0.4]), np.array([False, True, False, True]))
    found = accepted(rows, 0.3)
    assert (found.rows, found.errors, found.share) == (3, 1, 0.75)


def test_rows_that_are_all_right_are_all_accepted_from_the_fewest_on() -> None:
    """0.99^299 is the first power below 5 %."""
    doubt = np.random.default_rng(4).permutation(np.arange(299.0))
    found = threshold_of_risk(Judged(doubt, np.zeros(299, bool)), 0.01, 0.95)
    assert (found.rows, found.threshold) == (299, 298)
    with pytest.raises(FittingError, match="at least 299 accepted rows"):
        threshold_of_risk(Judged(doubt[1:], np.zeros(298, bool)), 0.01, 0.95)


def test_threshold_accepts_all_that_does_not_reach_the_next_doubt() -> None:
    doubt = np.arange(200.0)
    found = threshold_of_risk(Judged(doubt, doubt >= 150), 0.1, 0.9)
    passes = binom.cdf(found.errors + np.arange(2), found.rows + np.arange(2), 0.1) <= 0.1 / 3
    assert passes.tolist() == [True, False]  # tests from three numbers of rows on
    assert found.threshold == np.nextafter(found.rows, 0)


@pytest.mark.parametrize("rows", [98, 99, 250, 1000, 100_000])
def test_numbers_to_begin_with_could_pass_and_are_there(rows: int) -> None:
    found = starting_ranks(rows, 0.03, 0.95)
    level = 0.05 / max(len(found), 1)
    assert all(0.97**start <= level < 0.97 ** (start / 2 - 1) for start in found[:1])
    assert [2 * start for start in found[:-1]] == [*found[1:]]
    assert (not found) == (rows < 99)
    assert all(start <= rows for start in found)


def test_first_rows_that_are_wrong_by_chance_do_not_prevent_a_threshold() -> None:
    wrong = np.zeros(2000, bool)
    wrong[[3, 50, 400]] = True
    assert threshold_of_risk(Judged(np.arange(2000.0), wrong), 0.01, 0.95).share == 1


def test_rows_behind_a_test_that_fails_are_not_accepted() -> None:
    wrong = np.zeros(400, bool)
    wrong[240:266] = (
        True  # behind the last rank to begin with; all 400 rows would pass by themselves
    )
    starts = starting_ranks(400, 0.1, 0.8)
    level = 0.2 / len(starts)
    assert starts[-1] < 240
    assert binom.cdf(26, 400, 0.1) <= level < binom.cdf(26, 266, 0.1)
    found = threshold_of_risk(Judged(np.arange(400.0), wrong), 0.1, 0.8)
    assert 240 <= found.rows < 266


def test_equal_doubts_are_accepted_together() -> None:
    doubt = np.r_[np.zeros(90), np.ones(60)]
    found = threshold_of_risk(Judged(doubt, doubt > 0), 0.1, 0.9)
    assert (found.rows, found.errors) == (90, 0)


#: Doubts of equal probability, and the probability that a row with each is wrong: in turn above
#: and below the target, so that the risk crosses it many times.
LEVELS = np.arange(12) / 12
ALTERNATING = np.array([0.1, *[0.0025, 0.0985] * 5, 0.0025])


@pytest.mark.parametrize("of_each", [np.full(12, 0.05001), ALTERNATING])
@pytest.mark.parametrize("equal", [False, True])
def test_risk_is_kept_if_it_crosses_the_target_or_doubts_are_equal(
    of_each: Array, equal: bool
) -> None:
    """Rows are sorted by their errors: the order in a file must not matter."""
    rng, runs, target, failed = np.random.default_rng(5), 800, 0.05, 0
    for _ in range(runs):
        level = rng.integers(0, 12, 160)
        doubt = LEVELS[level] + (0 if equal else rng.random(160) / 12)
        wrong = rng.random(160) < of_each[level]
        order = np.argsort(wrong, kind="stable")
        try:
            at = threshold_of_risk(Judged(doubt[order], wrong[order]), target, 0.8).threshold
        except FittingError:
            continue
        share = np.clip((at - LEVELS) * 12, 0, 1) if not equal else at >= LEVELS
        failed += (share * of_each).sum() > target * share.sum()
    assert failed <= binom.ppf(1 - 1e-7, runs, 0.2)


def test_target_that_no_threshold_reaches_is_refused_with_the_risk_that_is_shown() -> None:
    rows = judged(100, np.random.default_rng(2))
    with pytest.raises(FittingError, match=r"a risk of at most 0\.08.*at least 2995 accepted"):
        threshold_of_risk(rows, 0.001, 0.95)
    assert risk_bound(0, 2995, 0.95) <= 0.001 < risk_bound(0, 2994, 0.95)


def test_upper_limit_has_the_binomial_tail_of_its_confidence() -> None:
    limit = risk_bound(3, 100, 0.95)
    assert binom.cdf(3, 100, limit) == pytest.approx(0.05)
    assert risk_bound(0, 0, 0.95) == risk_bound(4, 4, 0.95) == 1
    assert risk_bound(0, 299, 0.95) <= 0.01 < risk_bound(0, 298, 0.95)
