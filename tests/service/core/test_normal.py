import numpy as np
import pytest
from scipy import optimize, special, stats

from service.core.normal import LEVEL_TOLERANCE, Array, cdf_and_bell, mixture_quantile

RANDOM = np.random.default_rng(0)


def test_the_distribution_function_is_that_of_scipy() -> None:
    z = np.linspace(-45, 45, 100_001)
    np.testing.assert_allclose(cdf_and_bell(z)[0], special.ndtr(z), rtol=0, atol=1e-15)
    np.testing.assert_array_equal(cdf_and_bell(np.array([-np.inf, np.inf])), [[0, 1], [0, 0]])


def too_much(x: float, mean: Array, scale: Array, level: float) -> float:
    """How far the probability of a mixture below x is above a level."""
    return float(stats.norm.cdf(x, mean, scale).mean() - level)


@pytest.mark.parametrize("level", [1e-6, 0.05, 0.5, 0.9])
def test_a_quantile_is_where_a_root_finder_finds_it(level: float) -> None:
    means, variances = RANDOM.normal(0, 3, (30, 8)), RANDOM.gamma(2, 1, (30, 8))
    found = mixture_quantile(means, variances, level)
    for x, mean, scale in zip(found, means.T, np.sqrt(variances.T), strict=True):
        wanted = optimize.brentq(too_much, -40, 40, (mean, scale, level))
        density = stats.norm.pdf(wanted, mean, scale).mean()
        assert abs(x - wanted) < 2 * LEVEL_TOLERANCE / density


def test_a_quantile_of_equal_components_is_theirs() -> None:
    found = mixture_quantile(np.full((9, 2), 3.0), np.full((1, 2), 4.0), 0.9)
    np.testing.assert_allclose(found, stats.norm.ppf(0.9, 3, 2), rtol=1e-15)


def test_a_quantile_does_not_depend_on_its_company() -> None:
    means, variances = RANDOM.normal(0, 3, (300, 200)), RANDOM.gamma(1, 1, (300, 200))
    whole = mixture_quantile(means, variances, 0.05)
    for part in (slice(7, 8), slice(150, 153)):
        alone = mixture_quantile(means[:, part], variances[:, part], 0.05)
        np.testing.assert_array_equal(alone, whole[part])


def test_without_variance_a_quantile_is_that_of_the_means() -> None:
    means = np.array([[0.0, 5.0], [1.0, 6.0], [2.0, 7.0]])
    np.testing.assert_allclose(
        mixture_quantile(means, np.zeros((1, 2)), 0.5), [1.0, 6.0], atol=1e-12
    )
    far_apart = mixture_quantile(np.array([[0.0], [1e9]]), np.ones((1, 1)), 0.75)
    np.testing.assert_allclose(far_apart, [1e9], atol=1e-5)
