import numpy as np
import pytest
import tensorflow as tf

from models.export.composed.integers import integers
from tests.models.export.composed.grid import N, grid


@pytest.mark.parametrize(("low", "high"), [(0, 2), (-3, 4), (5, 6), (0, 65_536)])
def test_integers_are_equally_likely(low: int, high: int) -> None:
    found = integers(grid, [N], tf.constant(low), tf.constant(high))
    values, counts = np.unique(found, return_counts=True)
    np.testing.assert_array_equal(values, np.arange(low, high))
    assert np.ptp(counts) <= 1


def test_integers_do_not_exceed_the_maximum() -> None:
    for span in (1, 3, 7, 1000, 65_535, 65_536):
        last = integers(lambda *_: tf.constant(1 - 2**-24), [], tf.constant(0), tf.constant(span))
        assert last == span - 1
