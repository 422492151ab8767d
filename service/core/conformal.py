"""Split-conformal prediction: scores of how badly a class or a target fits a prediction.

Of n rows that are exchangeable with the next one, the threshold is the ⌈(n + 1) c⌉-th smallest
score of their true classes or targets. What has at most this score holds the next one with a
probability of at least c (Vovk et al. 2005; Angelopoulos & Bates 2021).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.calibration import ConformalInterval, IntervalMethod, SetMethod

Array = NDArray[Any]


def class_scores(method: SetMethod, probabilities: Array) -> Array:
    """The score of each class, from 0 to 1.

    - lac: 1 minus its probability (Sadinle et al. 2019, "Least Ambiguous Set-Valued
      Classifiers"). The sets are as small as they can be, and some may be empty.
    - aps: the probability of all classes that are more likely; of equally likely ones the first
      counts as more likely (Romano et al. 2020, "Classification with Valid and Adaptive
      Coverage", without its random number). The most likely class has 0, so that no set is empty.

    Args:
        method: of these.
        probabilities: (…, K) with K at least 2.

    Returns:
        (…, K) float64.
    """
    if method == "lac":
        return np.asarray(1.0 - probabilities)
    order = np.argsort(-probabilities, axis=-1, kind="stable")
    ordered = np.take_along_axis(probabilities, order, axis=-1)
    before = np.cumsum(ordered, axis=-1) - ordered
    before[..., 0] = 0.0
    scores: Array = np.empty_like(before)
    np.put_along_axis(scores, order, before, axis=-1)
    return scores


def widened(rule: ConformalInterval, mean: Array, base: Array | None) -> Array:
    """(…, 2) lower and upper end of the interval of a rule.

    Args:
        rule: see `interval_scores`.
        mean: (…).
        base: what its method is based on.
    """
    low, high, scale = _beginning(rule.method, mean, base)
    return np.stack([low - rule.lower * scale, high + rule.upper * scale], axis=-1)


def interval_scores(
    method: IntervalMethod, mean: Array, base: Array | None, targets: Array
) -> tuple[Array, Array]:
    """How far each target is below and above the interval that a method begins with.

    The larger one is the score of an interval with one threshold for both ends.

    - absolute: |y - mean|, of the mean alone.
    - normalized: the same as a multiple of `base`, (…) standard deviations (Lei et al. 2018,
      "Distribution-Free Predictive Inference for Regression", section 5.2).
    - cqr: the distance from `base`, (…, 2) ends of an interval (Romano et al. 2019, "Conformalized
      Quantile Regression").

    Args:
        method: of these.
        mean: (…).
        base: see above; None of "absolute".
        targets: (…).

    Returns:
        (…) and (…), negative for a target on the inner side of that end.
    """
    low, high, scale = _beginning(method, mean, base)
    return (low - targets) / scale, (targets - high) / scale


def _beginning(method: IntervalMethod, mean: Array, base: Array | None) -> tuple[Array, Array, Any]:
    """The ends of an interval before it is widened, and the unit of its thresholds."""
    if method == "absolute":
        return mean, mean, 1.0
    if base is None:
        raise ValueError(f"{method} is based on another measure")
    if method == "normalized":
        return mean, mean, base
    return base[..., 0], base[..., 1], 1.0
