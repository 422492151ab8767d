import numpy as np
import pytest

from service.core.calibration import ConformalInterval, IntervalMethod, SetMethod
from service.core.conformal import class_scores, interval_scores, widened

RANDOM = np.random.default_rng(0)
P = np.array([[0.5, 0.1, 0.3, 0.1]])


@pytest.mark.parametrize(
    ("method", "wanted"),
    [("lac", [[0.5, 0.9, 0.7, 0.9]]), ("aps", [[0.0, 0.8, 0.5, 0.9]])],
)
def test_class_scores_by_hand(method: SetMethod, wanted: list[list[float]]) -> None:
    np.testing.assert_allclose(class_scores(method, P), wanted, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_class_scores_do_not_depend_on_other_rows(method: SetMethod) -> None:
    p = RANDOM.dirichlet(np.ones(7), (40, 3))
    alone = np.concatenate([class_scores(method, row[None]) for row in p])
    np.testing.assert_array_equal(class_scores(method, p), alone)


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_sets_hold_the_true_class_with_their_coverage(method: SetMethod) -> None:
    """Of 40,000 rows, 6 standard deviations of the binomial distribution."""
    count, coverage = 40_000, 0.8
    p = RANDOM.dirichlet(np.full(5, 0.5), 2 * count)
    true = (p.cumsum(axis=-1) < RANDOM.random((2 * count, 1))).sum(axis=-1)
    scores = np.take_along_axis(class_scores(method, p), true[:, None], axis=-1)[:, 0]
    threshold = np.sort(scores[:count])[int(np.ceil((count + 1) * coverage)) - 1]
    covered = (scores[count:] <= threshold).mean()
    slack = 6 * np.sqrt(2 * coverage * (1 - coverage) / count)
    # Many rows may have the score 0 of their most likely class, so that more are covered.
    assert covered > coverage - slack
    if method == "lac":
        assert covered < coverage + slack


MEAN, SPREAD = np.array([1.0, 2.0]), np.array([0.5, 2.0])
ENDS = np.array([[0.0, 3.0], [1.0, 5.0]])
BASES: dict[IntervalMethod, np.ndarray | None] = {
    "absolute": None,
    "normalized": SPREAD,
    "cqr": ENDS,
}


@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        ("absolute", [[0.0, 3.0], [1.0, 4.0]]),
        ("normalized", [[0.5, 2.0], [0.0, 6.0]]),
        ("cqr", [[-1.0, 5.0], [0.0, 7.0]]),
    ],
)
def test_widened_by_hand(method: IntervalMethod, wanted: list[list[float]]) -> None:
    rule = ConformalInterval(method, 0.9, 1.0, 2.0)
    np.testing.assert_array_equal(widened(rule, MEAN, BASES[method]), wanted)


@pytest.mark.parametrize("method", BASES)
def test_a_target_is_in_the_interval_if_its_scores_are_at_most_the_thresholds(
    method: IntervalMethod,
) -> None:
    rule = ConformalInterval(method, 0.9, 1.0, 2.0)
    low, high = np.moveaxis(widened(rule, MEAN, BASES[method]), -1, 0)
    for y in np.linspace(-3, 9, 49):
        below, above = interval_scores(method, MEAN, BASES[method], np.full(2, y))
        np.testing.assert_array_equal((below <= 1) & (above <= 2), (low <= y) & (y <= high))
