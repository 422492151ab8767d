"""How calibrated models do, for Prometheus: accepted answers, and drift of the measures."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.calibration.document import CalibrationDocument
from service.core.measures.accept import Accept
from service.inference.predictor import Predictor
from service.inference.terms import CalibratedTerms
from service.protocol.prediction import OutputPrediction, Prediction

#: Maximum number of buffered elements; a larger answer is counted at once.
_MAX_WAITING = 1 << 14

Labels = tuple[str, str]  # model, version
Loaded = Mapping[Labels, Predictor]


@dataclass
class _Counts:
    """What was counted of a calibration.

    Attributes:
        of: the document; a new one is counted anew.
        decisions: numbers of abstained and of accepted answers.
        bins: measure to the number of values in each bin of its reference.
    """

    of: CalibrationDocument
    decisions: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))
    bins: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, reference in self.of.reference.items():
            self.bins[name] = np.zeros(len(reference.counts), np.int64)


class _Kind(NamedTuple):
    """What answers have in common that are counted together."""

    labels: Labels
    terms: CalibratedTerms
    passes: int
    shape: tuple[int, ...]
    measures: tuple[str, ...]


class CalibrationMetrics(Collector):
    """Counts answers to which the calibration of their model applies.

    Their measures are counted in the bins of the calibration's reference, so that rules can compute
    the population stability index. A measure that is computed from mean and variance is counted
    for every answer, others where they were requested.
    """

    def __init__(self) -> None:
        #: Gives the models that are loaded.
        self.loaded: Callable[[], Loaded] = dict
        self._lock = threading.Lock()
        self._counts: dict[Labels, _Counts] = {}
        #: Answers that are not counted yet, since counting many costs as much as one.
        self._waiting: dict[_Kind, list[OutputPrediction]] = {}
        self._elements = 0

    def observe(self, model: str, version: str, terms: CalibratedTerms, found: Prediction) -> None:
        """Count an answer to which the calibration applies."""
        answer = found[terms.document.output]
        names = (Accept.name, *terms.document.reference)
        kept = {name: answer.measures[name] for name in names if name in answer.measures}
        shape = answer.mean.shape[1:]
        kind = _Kind((model, version), terms, found.passes, shape, tuple(kept))
        with self._lock:
            self._waiting.setdefault(kind, []).append(
                OutputPrediction(answer.mean, answer.variance, kept)
            )
            self._elements += answer.mean.size
            if self._elements >= _MAX_WAITING:
                self._count()

    def _count(self) -> None:
        """Count the buffered answers; called with the lock."""
        # Cleared first, so that answers that cannot be counted are not tried again.
        waiting, self._waiting, self._elements = self._waiting, {}, 0
        for kind, answers in waiting.items():
            counts = self._counts_of(kind.labels, kind.terms.document)
            joined = OutputPrediction(
                np.concatenate([y.mean for y in answers]),
                np.concatenate([y.variance for y in answers]),
                {n: np.concatenate([y.measures[n] for y in answers]) for n in kind.measures},
            )
            if Accept.name in joined.measures:
                accepted = joined.measures[Accept.name].ravel()
                counts.decisions += np.bincount(accepted, minlength=2)
            for name, values in kind.terms.reference_values(kind.passes, joined):
                edges = counts.of.reference[name].edges
                placed = np.searchsorted(edges, values.ravel())
                counts.bins[name] += np.bincount(placed, minlength=len(edges) + 1)

    def _counts_of(self, labels: Labels, document: CalibrationDocument) -> _Counts:
        known = self._counts.get(labels)
        if known is None or known.of is not document:
            known = self._counts[labels] = _Counts(document)
        return known

    def collect(self) -> Iterator[Metric]:
        """Counters, and what the calibration says they should be like."""
        with self._lock:
            self._count()
            found = {
                labels: self._counts_of(labels, document)
                for labels, predictor in self.loaded().items()
                if (document := predictor.calibration.document) is not None
            }
            self._counts = dict(found)
            yield from (_rows(found), *_decisions(found), *_bins(found))


def _rows(found: Mapping[Labels, _Counts]) -> Metric:
    rows = GaugeMetricFamily(
        "mcdropout_calibration_rows",
        "rows that the calibration was fitted to",
        labels=["model", "version"],
    )
    for labels, counts in found.items():
        rows.add_metric([*labels], counts.of.data.rows)
    return rows


def _decisions(found: Mapping[Labels, _Counts]) -> Iterator[Metric]:
    counter = CounterMetricFamily(
        "mcdropout_decisions",
        "answers that were accepted, or on which the model abstained",
        labels=["model", "version", "accept"],
    )
    expected = GaugeMetricFamily(
        "mcdropout_expected_abstention_ratio",
        "share of the calibration's rows on which the model abstains",
        labels=["model", "version"],
    )
    for labels, counts in found.items():
        if counts.of.selection is not None:
            for accept, number in zip(("false", "true"), counts.decisions, strict=True):
                counter.add_metric([*labels, accept], float(number))
            expected.add_metric([*labels], 1 - counts.of.selection.coverage)
    yield counter
    yield expected


def _bins(found: Mapping[Labels, _Counts]) -> Iterator[Metric]:
    by_bin = ["model", "version", "measure", "up_to"]
    counter = CounterMetricFamily(
        "mcdropout_measure_values",
        "values of a measure in answers, by bins of the calibration",
        labels=by_bin,
    )
    expected = GaugeMetricFamily(
        "mcdropout_expected_measure_ratio",
        "share of the values in a bin, of the calibration's rows",
        labels=by_bin,
    )
    for labels, counts in found.items():
        for name, reference in counts.of.reference.items():
            shares = np.array(reference.counts) / sum(reference.counts)
            ends = [*map(repr, reference.edges), "+Inf"]  # all digits: edges may be close
            for end, number, share in zip(ends, counts.bins[name], shares, strict=True):
                counter.add_metric([*labels, name, end], float(number))
                expected.add_metric([*labels, name, end], float(share))
    yield counter
    yield expected
