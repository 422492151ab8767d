"""Scores of the observed classes or labels, whose quantile is the threshold of prediction sets."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.calibration import SetMethod
from service.core.conformal import class_scores

Array = NDArray[Any]


def set_scores(method: SetMethod, probabilities: Array, labels: Array) -> Array:
    """(N,) scores of the observed classes; of several predictions for a row the largest score.

    The sets of a row then hold all its classes if this score is at most the threshold.

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
        probabilities: (N, …, C) of all classes.
        labels: (N, …) int, of the observed classes.
    """
    found = of_classes(class_scores(method, probabilities), labels)
    if method == "aps":
        found = found + of_classes(probabilities, labels) * parts(*labels.shape)
    return largest(found)


def label_scores(probabilities: Array, labels: Array) -> Array:
    """(N,) largest scores, 1 - p, of the observed labels of a multi-label classification.

    All labels of a row are in its set if this score is at most the threshold, so that a set holds
    all of them with the stated probability: what is promised of a set of classes, too. A row
    without labels has the score 0, for any set holds all its labels. The alternative, conformal
    risk control (Angelopoulos et al. 2022), bounds the expected share of a row's labels that are
    missed. Its sets are smaller, but of ten labels one may be missing in every row.

    Args:
        probabilities: (N, …, K) of the labels.
        labels: (N, …, K) bool, whether each was observed.
    """
    return largest(np.where(labels, class_scores("lac", probabilities), 0.0))


def of_classes(values: Array, labels: Array) -> Array:
    """(N, …) of the observed classes, of (N, …, C) of all."""
    return np.take_along_axis(values, labels[..., None], axis=-1)[..., 0]


def largest(scores: Array) -> Array:
    """(N,) largest scores of rows, of (N, …)."""
    return np.asarray(scores.reshape(len(scores), -1).max(axis=1))


def parts(*shape: int) -> Array:
    """(…) random parts from 0 to 1; always the same."""
    return np.random.default_rng(0).random(shape)
