"""Where the bootstrap alone would say too much, other tests have to agree."""

import pytest
from scipy.stats import binomtest, mannwhitneyu

from service.evaluation.document import Estimate
from service.evaluation.report.evidence import against_chance, proportion


@pytest.mark.parametrize("right", [0, 3, 45, 50])
def test_share_has_at_least_the_interval_of_wilson(right: int) -> None:
    value = right / 50
    found = proportion(Estimate(value=value, low=value, high=value), 50, 0.95)
    wilson = binomtest(right, 50).proportion_ci(0.95, method="wilson")
    assert found == pytest.approx((wilson.low, wilson.high), abs=1e-12)


def test_wider_interval_of_a_share_stays() -> None:
    assert proportion(Estimate(value=0.5, low=0.1, high=0.9), 1000, 0.95) == (0.1, 0.9)
    assert proportion(Estimate(value=0.5), 1000, 0.95) is None


@pytest.mark.parametrize(("wrong", "tone"), [(1, "open"), (2, "yes"), (5, "yes")])
def test_few_errors_have_to_pass_the_rank_sum_test(wrong: int, tone: str) -> None:
    """All errors rank above all right answers: no resample has another order."""
    perfect = Estimate(value=1.0, low=1.0, high=1.0)
    assert against_chance(perfect, (40, wrong), 0.95)[1] == tone
    test = mannwhitneyu(range(40), range(40, 40 + wrong), method="asymptotic", use_continuity=False)
    assert (test.pvalue < 0.05) == (tone == "yes")


@pytest.mark.parametrize("groups", [(0, 50), (50, 0)])
def test_one_group_alone_says_nothing(groups: tuple[int, int]) -> None:
    assert against_chance(Estimate(value=0.9, low=0.8, high=1.0), groups, 0.95)[1] == "open"
