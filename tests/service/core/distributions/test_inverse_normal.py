from statistics import NormalDist

import numpy as np

from service.core.distributions.inverse_normal import inverse_normal


def test_the_inverse_is_accurate_from_end_to_end() -> None:
    small = np.concatenate([np.geomspace(5e-12, 0.5, 3000), np.linspace(0.074, 0.076, 101)])
    p = np.concatenate([small, 1 - small])
    wanted = np.array([NormalDist().inv_cdf(x) for x in p])
    np.testing.assert_allclose(inverse_normal(p), wanted, rtol=4e-7, atol=1e-15)


def test_the_inverse_is_symmetric_and_zero_in_the_middle() -> None:
    p = np.array([0.5, 0.25, 0.75, 2.0**-20, 1 - 2.0**-20])
    found = inverse_normal(p)
    assert found[0] == 0
    np.testing.assert_array_equal(found[1::2], -found[2::2])
