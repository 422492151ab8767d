import math

import numpy as np
import tensorflow as tf

from models.export.composed.binomial import binomial
from tests.conftest import SIGMAS
from tests.models.export.composed.grid import N


def test_binomial_numbers_are_sums_of_trials() -> None:
    numbers = tf.random.stateless_uniform([N, 5], [1, 2])
    counts, probs = tf.constant([5.0]), tf.constant([0.3])
    found = binomial(lambda *_: numbers, [N], counts, probs, tf.float32).numpy()
    shares = np.bincount(found.astype(int), minlength=6) / N
    wanted = np.array([math.comb(5, k) * 0.3**k * 0.7 ** (5 - k) for k in range(6)])
    assert (np.abs(shares - wanted) < SIGMAS * np.sqrt(wanted / N)).all()
    counts = tf.constant([5.0, 2.0])  # trials beyond the count are ignored
    fewer = binomial(lambda *_: numbers[:, None], [N, 2], counts, probs, tf.int32)
    np.testing.assert_array_equal(fewer.numpy().max(axis=0), [5, 2])
