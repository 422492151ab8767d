import pytest
from scipy.stats import t

from service.core.student import t_quantile


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 19, 39, 300, 301, 1999, 10**6])
def test_quantiles_are_those_of_scipy(freedom: int) -> None:
    for probability in (0.5, 0.6, 0.9, 0.975, 0.99375, 0.999, 0.99999, 1 - 1e-6):
        wanted = pytest.approx(t.ppf(probability, freedom), rel=1e-7, abs=1e-12)
        assert t_quantile(probability, freedom) == wanted
