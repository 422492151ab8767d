"""OpenTelemetry spans, if its SDK is installed and configured to export."""

import importlib.util
import os
import time
from collections.abc import Mapping
from typing import Any

from service.errors import SetupError
from service.extras import how_to_install
from service.scheduling.batch import Ticket

Attributes = Mapping[str, str | int | float]


class Tracing:
    """No tracing. Methods of subclasses may fail: call them with `guarded`."""

    def begin(self, name: str, carrier: Mapping[str, str], attributes: Attributes) -> Any:
        """Begin the span of a request.

        Args:
            name: of the span, until `end` sets a better one.
            carrier: headers that may contain the client's trace.
            attributes: of the span.

        Returns:
            The argument `begun` of `end`.
        """

    def end(self, begun: Any, name: str | None, attributes: Attributes, failed: bool) -> None:
        """End the span, in the task that began it."""

    def passes(self, ticket: Ticket) -> None:
        """Record the spans of a finished job of the current request."""

    def close(self) -> None:
        """Flush the remaining spans."""


class Spans(Tracing):
    """A span for each request, with two children: the queue and the passes."""

    def __init__(self) -> None:
        """Set up the SDK; it reads OTEL_* itself."""
        from opentelemetry import context, propagate, trace
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider

        named = "OTEL_SERVICE_NAME" in os.environ
        resource = Resource.create({} if named else {SERVICE_NAME: "mcdropout"})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(_processor())
        self._tracer = self._provider.get_tracer("mcdropout")
        self._kind = trace.SpanKind.SERVER
        self._extract = propagate.extract
        self._context, self._with_span = context, trace.set_span_in_context
        self._status = trace.Status(trace.StatusCode.ERROR)

    def begin(self, name: str, carrier: Mapping[str, str], attributes: Attributes) -> Any:
        """A span that continues the client's trace."""
        span = self._tracer.start_span(name, self._extract(carrier), self._kind, dict(attributes))
        return span, self._context.attach(self._with_span(span))

    def end(self, begun: Any, name: str | None, attributes: Attributes, failed: bool) -> None:
        """End the span with its final name and attributes."""
        span, token = begun
        try:
            if name is not None:
                span.update_name(name)
            span.set_attributes(dict(attributes))
            if failed:
                span.set_status(self._status)
        finally:
            self._context.detach(token)
            span.end()

    def passes(self, ticket: Ticket) -> None:
        """Record the finished spans `queue` and `passes`."""
        shift = time.time() - time.monotonic()
        arrived, began, ended = (
            int((moment + shift) * 1e9) for moment in (ticket.arrived, ticket.began, ticket.ended)
        )
        work: Mapping[str, Any] = {
            "mcdropout.rows": ticket.job.count,
            "mcdropout.passes": ticket.job.passes_run,
            "mcdropout.compute_seconds": ticket.computing,
        }
        self._tracer.start_span("queue", start_time=arrived).end(began)
        self._tracer.start_span("passes", attributes=work, start_time=began).end(ended)

    def close(self) -> None:
        """Flush the remaining spans."""
        self._provider.shutdown()


def start_tracing(env: Mapping[str, str]) -> Tracing:
    """Start tracing if OTEL_TRACES_EXPORTER or an OTLP endpoint is set.

    Raises:
        SetupError: it is configured and the SDK is not installed.
    """
    exporter = env.get("OTEL_TRACES_EXPORTER", "")
    endpoint = any(env.get(f"OTEL_EXPORTER_OTLP_{part}ENDPOINT") for part in ("", "TRACES_"))
    disabled = env.get("OTEL_SDK_DISABLED", "").lower() == "true" or exporter == "none"
    if disabled or not (exporter or endpoint):
        return Tracing()
    if importlib.util.find_spec("opentelemetry.sdk") is None:
        raise SetupError(
            "OTEL_* variables ask for tracing, and OpenTelemetry is not installed. Set "
            f"OTEL_SDK_DISABLED=true, or install it: {how_to_install('otel')}."
        )
    if exporter not in ("", "otlp", "console"):
        raise SetupError(f"OTEL_TRACES_EXPORTER is {exporter!r}; it takes otlp, console or none.")
    return Spans()


def _processor() -> Any:
    from opentelemetry.sdk.trace.export import (
        BatchSpanProcessor,
        ConsoleSpanExporter,
        SimpleSpanProcessor,
    )

    if os.environ.get("OTEL_TRACES_EXPORTER") == "console":
        return SimpleSpanProcessor(ConsoleSpanExporter())
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return BatchSpanProcessor(OTLPSpanExporter())
