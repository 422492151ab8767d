import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from service.core.distributions.normal import Normal
from service.core.streams import Stream
from tests.conftest import SIGMAS

COUNT = 100_000
PINNED = [
    [-0.16253596965291026, 2.8786301892419464, 0.6618261990056421],
    [0.4311861623206367, -0.7520466261306556, 0.530208543571052],
]
PINNED_STRATIFIED = [
    [0.5699496419988349, 0.4448707361516799, -1.9390082620517353],
    [-0.44622693874123576, -1.3177692040930071, -0.8822382385458016],
]


@pytest.mark.parametrize("draw", [Normal().row, Normal().stratified])
def test_normal_has_the_tails_of_the_normal_distribution(draw: Any) -> None:
    numbers = draw(Stream(7, 0, range(2000)), (50,), np.float64)
    for beyond in (1.0, 2.0, 3.0):
        share = 2 * NormalDist().cdf(-beyond)
        found = (np.abs(numbers) > beyond).mean()
        assert abs(found - share) < SIGMAS * math.sqrt(share / COUNT)
    assert np.isfinite(numbers).all()


def test_normal_is_pinned() -> None:
    """A change here would change the answers that stored seeds reproduce."""
    numbers = Normal().row(Stream(2016, 3, range(5, 7)), (3,), np.float64)
    np.testing.assert_allclose(numbers, PINNED, rtol=1e-12)
    stratified = Normal().stratified(Stream(2016, 3, range(5, 7)), (3,), np.float64)
    np.testing.assert_allclose(stratified, PINNED_STRATIFIED, rtol=1e-12)
