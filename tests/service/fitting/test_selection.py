import numpy as np
import pytest
from scipy.stats import binom

from service.errors import FittingError
from service.fitting.selection import SHARES, Judged, accepted, risk_bound, threshold_of_risk


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
    assert np.mean([one.share for one in found]) > 0.8 * (5 * target) ** 0.25


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


def test_row_at_the_limit_of_a_candidate_is_not_accepted() -> None:
    """Its own doubt says where the limit is, so it is not as new rows are."""
    doubt = np.arange(100.0)
    found = threshold_of_risk(Judged(doubt, np.zeros(100, bool)), 0.1, 0.9)
    assert (found.rows, found.threshold) == (99, np.nextafter(99.0, 0))


def test_equal_doubts_are_accepted_together() -> None:
    doubt = np.r_[np.zeros(90), np.ones(60)]
    found = threshold_of_risk(Judged(doubt, doubt > 0), 0.1, 0.9)
    assert (found.rows, found.errors) == (90, 0)


def test_target_that_no_threshold_reaches_is_refused_with_the_least_risk() -> None:
    rows = judged(100, np.random.default_rng(2))
    with pytest.raises(FittingError, match=r"a risk of at most 0\.1.*at least 5478 accepted"):
        threshold_of_risk(rows, 0.001, 0.95)
    level = 1 - 0.05 / len(SHARES)
    assert risk_bound(0, 5478, level) <= 0.001 < risk_bound(0, 5477, level)


def test_upper_limit_has_the_binomial_tail_of_its_confidence() -> None:
    limit = risk_bound(3, 100, 0.95)
    assert binom.cdf(3, 100, limit) == pytest.approx(0.05)
    assert risk_bound(0, 0, 0.95) == risk_bound(4, 4, 0.95) == 1
    assert risk_bound(0, 299, 0.95) <= 0.01 < risk_bound(0, 298, 0.95)
