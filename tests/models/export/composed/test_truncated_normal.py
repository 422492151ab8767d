import math
from statistics import NormalDist

import numpy as np
import pytest
import tensorflow as tf

from models.export.composed.truncated_normal import truncated_normal
from tests.models.export.composed.grid import GRID, N, grid


def test_truncated_normal_inverts_its_distribution_function() -> None:
    found = truncated_normal(grid, [N], tf.float32).numpy().astype(np.float64)
    normal = NormalDist()
    low, high = normal.cdf(-2), normal.cdf(2)
    some = slice(None, None, 97)
    wanted = [normal.inv_cdf(low + float(u) * (high - low)) for u in GRID[some]]
    np.testing.assert_allclose(found[some], wanted, rtol=1e-6, atol=1e-6)
    variance = 1 - 4 * normal.pdf(2) / (high - low)
    assert found.std() == pytest.approx(math.sqrt(variance), rel=1e-4)
    ends = truncated_normal(lambda *_: tf.constant([0.0, 1 - 2**-24]), [2], "float16")
    assert ends.dtype == tf.float16
    np.testing.assert_allclose(np.abs(ends), 2, rtol=1e-3)
