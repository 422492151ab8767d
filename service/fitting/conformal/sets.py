"""Scores of the observed classes, whose quantile is the threshold of prediction sets."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.calibration import SetMethod
from service.core.conformal import class_scores

Array = NDArray[Any]


def set_scores(method: SetMethod, probabilities: Array, labels: Array) -> Array:
    """(N,) scores of the observed classes.

    Of "lac" they are those of `class_scores`, so that the coverage is the stated one, up to
    1/(N + 1) if no scores are equal.

    Of "aps" a random part of the class's own probability is added (Romano, Sesia & Candès 2020,
    eq. 7). Without it all scores of a good classifier are 0, and every set has one class. A new row
    draws nothing, so that its answer is reproducible: its set has every class that the randomized
    rule may include. So the coverage is at least the stated one, without an upper bound, and
    whatever the random numbers are: no score is below that of `class_scores`, whose own threshold
    covers. MAPIE does the same, by `include_last_label=True`.

    Args:
        method: see `class_scores`.
        probabilities: (N, C) of all classes.
        labels: (N,) int, of the observed classes.
    """
    found: Array = np.take_along_axis(class_scores(method, probabilities), labels[:, None], axis=1)
    if method == "aps":
        own = np.take_along_axis(probabilities, labels[:, None], axis=1)
        found = found + own * parts(len(own))[:, None]
    return found[:, 0]


def parts(rows: int) -> Array:
    """(N,) random parts from 0 to 1; always the same."""
    return np.random.default_rng(0).random(rows)
