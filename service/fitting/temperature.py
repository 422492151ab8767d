"""Temperature of class probabilities that are means over passes."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

Array = NDArray[Any]

#: Bounds of the temperature; beyond them probabilities are one-hot or equal.
LEAST, MOST = 1 / 50, 50.0
#: Stands for a probability of 0, whose logarithm is not finite.
_TINY = float(np.finfo(np.float32).tiny)


def fit_temperature(probabilities: Array, labels: Array) -> float:
    """The temperature T with which probabilities fit labels best.

    Minimizes the negative log-likelihood of p^(1/T), normalized, where p are means over passes:
    probabilities are pooled first and calibrated then (Guo et al. 2017, section 4.2; Rahaman &
    Thiery 2021, section 4). It is convex in 1/T.

    Where every row is classified right, the likelihood has no maximum, and with few wrong rows it
    is too sharp. As Platt 1999, section 2.2 does for two classes, each label counts with (N + 1) /
    (N + 2), and the most probable other class with 1 / (N + 2): one more row, wrong, in addition
    to the N. It makes no difference for large N.

    Args:
        probabilities: (N, C), of the classes.
        labels: (N,) int, of the classes that were observed.
    """
    logs = _logs(probabilities)
    smoothed = 1 / (len(labels) + 2)
    rows = np.arange(len(labels))
    others = logs.copy()
    others[rows, labels] = -np.inf
    margin = logs[rows, labels] - others.max(axis=1)

    def loss(log_t: float) -> float:
        inverse = math.exp(-log_t)
        extra: float = smoothed * inverse * margin.mean()
        return float(_nll(logs * inverse, labels).mean()) + extra

    found = minimize_scalar(loss, bounds=(math.log(LEAST), math.log(MOST)), method="bounded")
    return math.exp(found.x)


def _logs(probabilities: Array) -> Array:
    logs: Array = np.log(np.maximum(probabilities.astype(np.float64), _TINY))
    return logs


def _nll(logits: Array, labels: Array) -> Array:
    shifted = logits - logits.max(axis=1, keepdims=True)
    found: Array = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]
    return found
