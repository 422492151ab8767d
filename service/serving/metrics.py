"""Prometheus metrics. All names begin with `mcdropout_`; docs/operations.md lists them."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

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
    Metric,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from service.guarded import failures, guarded
from service.inference.jobs import SampleJob
from service.repository.registry import Repository, State
from service.scheduling.batch import Ticket, TimeSlice
from service.scheduling.scheduler import Scheduler
from service.serving.calibration import CalibrationMetrics
from service.serving.uncertainty import Uncertainty

_SECONDS = (*(n * 10**-e for e in (4, 3, 2, 1) for n in (1, 2.5, 5)), 1, 2.5, 5, 10, 30, 60)
_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)


class Guarded(Collector):
    """Wraps a collector; if it fails, only its own metrics are missing from the page."""

    def __init__(self, inner: Collector) -> None:
        self._inner = inner

    def collect(self) -> Iterator[Metric]:
        """The metrics of the wrapped collector."""
        found: list[Metric] = []
        guarded("metrics page", lambda: found.extend(self._inner.collect()))
        yield from found


class Failures(Collector):
    """How often an observer failed (see `service.guarded`)."""

    def collect(self) -> Iterator[Metric]:
        """A counter."""
        family = CounterMetricFamily(
            "mcdropout_observer_failures",
            "failures of metrics, logs and traces; answers are not affected",
            labels=["observer"],
        )
        for name, count in failures().items():
            family.add_metric([name], count)
        yield family


class Now(Collector):
    """Metrics that are read at the time of a scrape."""

    def __init__(self, repository: Repository, scheduler: Scheduler) -> None:
        self._repository = repository
        self._scheduler = scheduler

    def collect(self) -> Iterator[Metric]:
        """Gauges."""
        waiting = self._scheduler.waiting
        yield GaugeMetricFamily(
            "mcdropout_queue_length", "requests that wait for their first time slice", waiting
        )
        yield GaugeMetricFamily(
            "mcdropout_requests_in_flight",
            "in-flight requests, waiting or running",
            len(self._scheduler),
        )
        ready = GaugeMetricFamily(
            "mcdropout_model_ready",
            "1 if a version can answer, else 0",
            labels=["model", "version"],
        )
        for name, versions in self._repository.models().items():
            for version in versions:
                # Versions excluded by the policy or a request have not failed.
                if version.state is not State.UNLOADED:
                    is_ready = float(version.state is State.READY)
                    ready.add_metric([name, version.number_text], is_ready)
        yield ready


class Metrics:
    """All metrics that are updated while requests are answered."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry(auto_describe=False)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self.uncertainty = Uncertainty()
        self._registry.register(Guarded(self.uncertainty))
        self.calibration = CalibrationMetrics()
        self._registry.register(Guarded(self.calibration))
        self._registry.register(Failures())
        by_model = ["model", "version"]
        self.requests = self._of(
            Counter, "requests", "requests, by status", ["model", "version", "status"]
        )
        self._whole = self._of(
            Histogram,
            "request_seconds",
            "time from the first byte of a request to the last of its answer",
            by_model,
            buckets=_SECONDS,
        )
        self._queue = self._of(
            Histogram,
            "queue_seconds",
            "time until the first time slice",
            by_model,
            buckets=_SECONDS,
        )
        self._compute = self._of(
            Histogram,
            "compute_seconds",
            "total duration of the time slices",
            by_model,
            buckets=_SECONDS,
        )
        self._passes = self._of(Counter, "passes", "stochastic forward passes answered", by_model)
        self._samples = self._of(
            Counter, "samples", "rows × passes × inner masks answered", by_model
        )
        self._rows = self._of(
            Histogram, "batch_rows", "rows in the batch of a time slice", by_model, buckets=_COUNTS
        )
        self._jobs = self._of(
            Histogram,
            "batch_requests",
            "requests in the batch of a time slice",
            by_model,
            buckets=_COUNTS,
        )

        every = (self._queue, self._compute, self._passes, self._samples)
        # `labels` takes a lock and checks every label, so its results are cached.
        self._of_model: Callable[..., list[Any]] = cache(
            lambda *labels: [metric.labels(*labels) for metric in every]
        )

    def _of(self, kind: Callable[..., Any], name: str, text: str, *args: Any, **kw: Any) -> Any:
        return kind(f"mcdropout_{name}", text, *args, registry=self._registry, **kw)

    def watch(self, repository: Repository, scheduler: Scheduler) -> None:
        """Add the metrics of a repository and a scheduler."""
        self._registry.register(Guarded(Now(repository, scheduler)))
        self.calibration.loaded = lambda: {
            (name, version.number_text): version.predictor
            for name, versions in repository.models().items()
            for version in versions
            if version.predictor is not None
        }

    def time_slice(self, time_slice: TimeSlice) -> None:
        """Count a time slice."""
        self._rows.labels(*time_slice.label).observe(time_slice.rows)
        self._jobs.labels(*time_slice.label).observe(time_slice.jobs)

    def answered(self, model: str, version: str, ticket: Ticket) -> None:
        """Count an answered request."""
        job = ticket.job
        queue, compute, passes, samples = self._of_model(model, version)
        queue.observe(ticket.began - ticket.arrived)
        compute.observe(ticket.computing)
        if isinstance(job, SampleJob):
            passes.inc(job.passes_run)
            samples.inc(job.samples_run)

    def ended(self, model: str, version: str, status: int, seconds: float) -> None:
        """Count a request to a model, answered or not."""
        self.requests.labels(model, version, str(status)).inc()
        self._whole.labels(model, version).observe(seconds)

    def text(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self._registry)
