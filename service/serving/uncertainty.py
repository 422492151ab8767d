"""Histograms of the uncertainty of answers, for Prometheus."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from service.core.entropy import entropy
from service.manifest import Manifest
from service.protocol.prediction import Prediction

#: Buckets of the entropy as a share of its maximum.
_SHARES = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
#: Buckets of the standard deviation, in the unit of the output.
_DEVIATIONS = tuple(n * 10.0**e for e in range(-4, 5) for n in (1, 2, 5))
#: Maximum number of buffered elements; a larger answer is counted at once.
_MAX_WAITING = 1 << 14

Labels = tuple[str, str, str]  # model, version, output


class Uncertainty(Collector):
    """Histograms of the predictive uncertainty of rows, by model, version and output.

    For a classification it is the predictive entropy as a share of ln K, its maximum for K
    classes. For other models it is the standard deviation over passes, the square root of the
    mean variance of the output's elements. Many rows are counted at once; prometheus_client's
    own histogram takes one number at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entropy: dict[Labels, NDArray[np.float64]] = {}
        self._deviation: dict[Labels, NDArray[np.float64]] = {}
        #: Answers that are not counted yet, since counting many costs as much as one: (…, K)
        #: means of K classes, and (B, …) variances of other models, with K = 0. K is part of
        #: the key, because it may change with a model's file under the same labels.
        self._waiting: dict[tuple[Labels, int], list[NDArray[np.float64]]] = {}
        self._elements = 0

    def observe(self, model: str, version: str, manifest: Manifest, found: Prediction) -> None:
        """Count the rows of an answer."""
        with self._lock:
            for output, prediction in found.items():
                shape = prediction.mean.shape
                is_class = manifest.task == "classification" and len(shape) > 1 and shape[-1] > 1
                values = prediction.mean if is_class else prediction.variance
                key = (model, version, output), shape[-1] if is_class else 0
                self._waiting.setdefault(key, []).append(values)
                self._elements += values.size
            if self._elements >= _MAX_WAITING:
                self._count()

    def _count(self) -> None:
        """Count the buffered answers; called with the lock."""
        # Cleared first, so that answers that cannot be counted are not tried again.
        waiting, self._waiting, self._elements = self._waiting, {}, 0
        for (labels, classes), answers in waiting.items():
            if classes:
                # For sequences each step is counted; they may differ in length.
                mean = np.concatenate([y.reshape(-1, classes) for y in answers])
                _add(self._entropy, labels, _SHARES, entropy(mean) / np.log(classes))
            else:
                each = [y.reshape(len(y), -1).mean(axis=1) for y in answers]
                _add(self._deviation, labels, _DEVIATIONS, np.sqrt(np.concatenate(each)))

    def collect(self) -> Iterator[Metric]:
        """Both histograms."""
        with self._lock:
            self._count()
            entropy, deviation = dict(self._entropy), dict(self._deviation)
        yield _histogram(
            "mcdropout_predictive_entropy_ratio",
            "predictive entropy of a row, as a share of its maximum",
            _SHARES,
            entropy,
        )
        yield _histogram(
            "mcdropout_predictive_standard_deviation",
            "standard deviation of a row's output over passes, in the output's unit",
            _DEVIATIONS,
            deviation,
        )


def _add(
    into: dict[Labels, NDArray[np.float64]], labels: Labels, bounds: Sequence[float], values: Any
) -> None:
    values = np.ravel(values)
    # The last number is the sum of the values.
    counted = np.empty(len(bounds) + 2)
    counted[:-1] = np.bincount(np.searchsorted(bounds, values), minlength=len(bounds) + 1)
    counted[-1] = values.sum()
    into[labels] = into[labels] + counted if labels in into else counted


def _histogram(
    name: str, text: str, bounds: Sequence[float], counted: dict[Labels, NDArray[np.float64]]
) -> Metric:
    family = HistogramMetricFamily(name, text, labels=["model", "version", "output"])
    edges = [*map(str, bounds), "+Inf"]
    for labels, numbers in counted.items():
        below = np.cumsum(numbers[:-1]).tolist()
        family.add_metric(list(labels), list(zip(edges, below, strict=True)), float(numbers[-1]))
    return family
