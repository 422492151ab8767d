import numpy as np
import tensorflow as tf

from models.export.composed.categorical import categorical
from tests.models.export.composed.grid import N, grid


def test_class_frequencies_are_the_probabilities() -> None:
    logits = tf.math.log([[0.5, 0.0, 0.3, 0.2, 0.0]])
    found = categorical(grid, logits, N, tf.int64)
    shares = np.bincount(found[0], minlength=5) / N
    np.testing.assert_allclose(shares, [0.5, 0.0, 0.3, 0.2, 0.0], atol=2 / N)
