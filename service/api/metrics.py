"""What Prometheus is told. All names begin with `mcdropout_`; docs/operations.md lists them."""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from service.batch import Ticket, Turn
from service.core.measures import predictive_entropy
from service.guarded import failures, guarded
from service.manifest import Manifest
from service.predictor import Prediction
from service.repository import Repository, State
from service.scheduler import Scheduler

_SECONDS = (*(n * 10**-e for e in (4, 3, 2, 1) for n in (1, 2.5, 5)), 1, 2.5, 5, 10, 30, 60)
_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)
#: Of a share of the largest possible entropy.
_SHARES = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
#: Of a standard deviation, in whatever unit the output has.
_DEVIATIONS = tuple(n * 10.0**e for e in range(-4, 5) for n in (1, 2, 5))
#: Elements that may wait to be counted; a larger answer is counted at once.
_MOST_WAITING = 1 << 14

Labels = tuple[str, str, str]  # model, version, output


class Uncertainty(Collector):
    """Histograms of the predictive uncertainty of rows, by model, version and output.

    Of a classification it is the predictive entropy as a share of ln K, the largest
    there is for K classes. Of anything else it is the standard deviation over passes,
    √ of the mean variance of the output's elements. Rows are counted many at once, where
    prometheus_client's own histogram takes one number at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entropy: dict[Labels, NDArray[np.float64]] = {}
        self._deviation: dict[Labels, NDArray[np.float64]] = {}
        #: What is not counted yet, many answers at once costing as much as one: (…, K) means
        #: of K classes, and (B, …) variances of anything else, which have K = 0. A model's
        #: next version may have another K under the same labels.
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
            if self._elements >= _MOST_WAITING:
                self._count()

    def _count(self) -> None:
        """Count what waits; with the lock."""
        # Forgotten first: what cannot be counted is not tried again.
        waiting, self._waiting, self._elements = self._waiting, {}, 0
        for (labels, classes), answers in waiting.items():
            if classes:
                # Of sequences each step is counted; they may differ in length.
                mean = np.concatenate([y.reshape(-1, classes) for y in answers])
                _add(self._entropy, labels, _SHARES, predictive_entropy(mean) / np.log(classes))
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
            "predictive entropy of a row, as a share of the largest possible",
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


class Guarded(Collector):
    """Another collector; if it fails, the page lacks its numbers and has all others."""

    def __init__(self, inner: Collector) -> None:
        self._inner = inner

    def collect(self) -> Iterator[Metric]:
        """What the other tells."""
        found: list[Metric] = []
        guarded("metrics page", lambda: found.extend(self._inner.collect()))
        yield from found


class Failures(Collector):
    """How often an observer failed (see `service.guarded`)."""

    def collect(self) -> Iterator[Metric]:
        """A counter."""
        family = CounterMetricFamily(
            "mcdropout_observer_failures",
            "failures of what counts, logs and traces, which no answer was affected by",
            labels=["observer"],
        )
        for name, count in failures().items():
            family.add_metric([name], count)
        yield family


class Now(Collector):
    """What is read when it is asked for."""

    def __init__(self, repository: Repository, scheduler: Scheduler) -> None:
        self._repository = repository
        self._scheduler = scheduler

    def collect(self) -> Iterator[Metric]:
        """Gauges."""
        waiting = self._scheduler.waiting
        yield GaugeMetricFamily(
            "mcdropout_queue_length", "requests that wait for their first turn", waiting
        )
        yield GaugeMetricFamily(
            "mcdropout_requests_in_flight", "requests that wait or run", len(self._scheduler)
        )
        ready = GaugeMetricFamily(
            "mcdropout_model_ready", "1 where a version can answer", labels=["model", "version"]
        )
        for name, versions in self._repository.models().items():
            for version in versions:
                # What the policy or a request does not want is no fault.
                if version.state is not State.UNLOADED:
                    is_ready = float(version.state is State.READY)
                    ready.add_metric([name, str(version.number)], is_ready)
        yield ready


class Metrics:
    """Everything that is counted while requests are answered."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry(auto_describe=False)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self.uncertainty = Uncertainty()
        self._registry.register(Guarded(self.uncertainty))
        self._registry.register(Failures())
        by_model = ["model", "version"]
        self.requests = self._of(
            Counter, "requests", "requests, by status", ["model", "version", "status"]
        )
        self._whole = self._of(
            Histogram, "request_seconds", "first byte to last", by_model, buckets=_SECONDS
        )
        self._queue = self._of(
            Histogram, "queue_seconds", "until the first turn", by_model, buckets=_SECONDS
        )
        self._compute = self._of(
            Histogram, "compute_seconds", "turns together", by_model, buckets=_SECONDS
        )
        self._passes = self._of(Counter, "passes", "passes answered", by_model)
        self._samples = self._of(Counter, "samples", "rows × passes answered", by_model)
        self._rows = self._of(
            Histogram, "batch_rows", "rows that ran together in a turn", by_model, buckets=_COUNTS
        )
        self._jobs = self._of(
            Histogram, "batch_requests", "requests in a turn", by_model, buckets=_COUNTS
        )

        every = (self._queue, self._compute, self._passes, self._samples)
        # `labels` looks its answer up with a lock and a check of every label.
        self._of_model: Callable[..., list[Any]] = cache(
            lambda *labels: [metric.labels(*labels) for metric in every]
        )

    def _of(self, kind: Callable[..., Any], name: str, text: str, *args: Any, **kw: Any) -> Any:
        return kind(f"mcdropout_{name}", text, *args, registry=self._registry, **kw)

    def watch(self, repository: Repository, scheduler: Scheduler) -> None:
        """Also tell how these are."""
        self._registry.register(Guarded(Now(repository, scheduler)))

    def turn(self, turn: Turn) -> None:
        """Count a turn."""
        self._rows.labels(*turn.label).observe(turn.rows)
        self._jobs.labels(*turn.label).observe(turn.jobs)

    def answered(self, model: str, version: str, ticket: Ticket) -> None:
        """Count a request that came to an answer."""
        job = ticket.job
        queue, compute, passes, samples = self._of_model(model, version)
        queue.observe(ticket.began - ticket.arrived)
        compute.observe(ticket.computing)
        if job.draws is not None:
            passes.inc(job.passes)
            samples.inc(job.passes * job.count)

    def ended(self, model: str, version: str, status: int, seconds: float) -> None:
        """Count a request to a model, answered or not."""
        self.requests.labels(model, version, str(status)).inc()
        self._whole.labels(model, version).observe(seconds)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)
