import math
from statistics import NormalDist

import numpy as np

from service.core.distributions.normal import Normal
from service.core.streams import Stream
from tests.conftest import SIGMAS

COUNT = 100_000
PINNED = [
    [-0.16253596965291026, 2.8786301892419464, 0.6618261990056421],
    [0.4311861623206367, -0.7520466261306556, 0.530208543571052],
]


def test_normal_has_the_tails_of_the_normal_distribution() -> None:
    numbers = Normal().row(Stream(7, 0, range(2000)), (50,), np.float64)
    for beyond in (1.0, 2.0, 3.0):
        share = 2 * NormalDist().cdf(-beyond)
        found = (np.abs(numbers) > beyond).mean()
        assert abs(found - share) < SIGMAS * math.sqrt(share / COUNT)
    assert np.isfinite(numbers).all()


def test_normal_is_pinned() -> None:
    """A change here would change the answers that stored seeds reproduce."""
    numbers = Normal().row(Stream(2016, 3, range(5, 7)), (3,), np.float64)
    np.testing.assert_allclose(numbers, PINNED, rtol=1e-12)
