"""Metrics and traces of a real server agree with the requests that it answered."""

import http.server
import os
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from scripts.local_server import local_server
from service import Predictor, load_model
from service.core.entropy import entropy
from tests.conftest import STORE

pytestmark = pytest.mark.slow

YEARS = [[1985.0], [2010.0], [1960.0]]
ROWS = np.random.default_rng(0).uniform(0, 16, (40, 64))

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def metrics(client: httpx.Client) -> Samples:
    """(name, labels) of every sample to its value."""
    text = client.get("/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((f"mcdropout_{name}", tuple(sorted(labels.items()))), 0.0)


@pytest.fixture(scope="module")
def asked() -> Iterator[Samples]:
    """The metrics of a server that has answered some requests."""
    with local_server(STORE) as server, httpx.Client(base_url=server.url) as client:
        co2, digits = ("/v1/models/co2:predict", "/v1/models/digits:predict")
        for _ in range(3):
            client.post(co2, json={"instances": YEARS, "passes": 200, "seed": 7})
        client.post(digits, json={"instances": ROWS.tolist(), "passes": 50, "seed": 7})
        client.post(digits, json={"instances": [[1.0]]})
        client.post(digits, json={"instances": ROWS[:1].tolist(), "training": False})
        client.post("/v1/models/nope:predict", json={"instances": [[1.0]]})
        yield metrics(client)


CO2 = {"model": "co2", "version": "1"}
DIGITS = {"model": "digits", "version": "1"}


def test_requests_are_counted_by_model_and_status(asked: Samples) -> None:
    assert value(asked, "requests_total", **CO2, status="200") == 3
    assert value(asked, "requests_total", **DIGITS, status="200") == 2
    assert value(asked, "requests_total", **DIGITS, status="400") == 1
    # Unknown names do not become labels; otherwise a client could create any number of them.
    assert value(asked, "requests_total", model="", version="", status="404") == 1
    assert not any(("model", "nope") in labels for _, labels in asked)


def test_work_is_counted(asked: Samples) -> None:
    assert value(asked, "passes_total", **CO2) == 600
    assert value(asked, "samples_total", **CO2) == 1800
    assert value(asked, "samples_total", **DIGITS) == 40 * 50
    assert value(asked, "batch_rows_sum", **CO2) == 3 * value(asked, "batch_rows_count", **CO2)
    for name in ("queue_seconds", "compute_seconds"):
        assert value(asked, f"{name}_count", **CO2) == 3
    whole, parts = (
        sum(value(asked, f"{name}_seconds_sum", **CO2) for name in names)
        for names in (["request"], ["queue", "compute"])
    )
    assert 0 < parts <= whole
    assert value(asked, "model_ready", **CO2) == 1
    assert value(asked, "requests_in_flight") == value(asked, "queue_length") == 0


def test_histograms_of_uncertainty_are_those_of_the_answers(
    asked: Samples, digits: Predictor
) -> None:
    labels = {**CO2, "output": "ppm"}
    found = load_model(STORE / "co2" / "1" / "model.onnx").predict(YEARS, 200, 7)
    deviations = np.sqrt(found.variance[:, 0])
    name = "predictive_standard_deviation"
    assert value(asked, f"{name}_count", **labels) == 9
    assert value(asked, f"{name}_sum", **labels) == pytest.approx(3 * deviations.sum())
    below = 3 * int((deviations <= 1.0).sum())
    assert value(asked, f"{name}_bucket", **labels, le="1.0") == below

    labels = {**DIGITS, "output": "probabilities"}
    shares = entropy(digits.predict(ROWS, 50, 7).mean) / np.log(10)
    assert value(asked, "predictive_entropy_ratio_count", **labels) == 40
    assert value(asked, "predictive_entropy_ratio_sum", **labels) == pytest.approx(shares.sum())
    for bound in (0.1, 0.5):
        below = int((shares <= bound).sum())
        assert value(asked, "predictive_entropy_ratio_bucket", **labels, le=str(bound)) == below


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Any]]]:
    """An OTLP collector over HTTP: its URL, and the spans that it received."""
    spans: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend((resource.resource, span) for span in scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", spans
    server.shutdown()
    thread.join()
    server.server_close()


def test_spans_are_sent_to_a_collector(collector: tuple[str, list[Any]]) -> None:
    url, spans = collector
    env = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_SERVICE_NAME": "mine"}
    trace = "0af7651916cd43dd8448eb211c80319c"
    with local_server(STORE, env) as server:
        httpx.post(
            f"{server.url}/v1/models/co2:predict",
            json={"instances": YEARS, "passes": 50},
            headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"},
        )
    mine = {span.name: (resource, span) for resource, span in spans if span.trace_id.hex() == trace}
    assert set(mine) == {"POST /v1/models/{name}:predict", "queue", "passes"}
    resource, request = mine["POST /v1/models/{name}:predict"]
    assert {a.key: a.value.string_value for a in resource.attributes}["service.name"] == "mine"
    attributes = {a.key: a.value for a in request.attributes}
    assert attributes["mcdropout.model"].string_value == "co2"
    assert attributes["http.response.status_code"].int_value == 200
    _, passes = mine["passes"]
    assert passes.parent_span_id == request.span_id
    assert {a.key: a.value.int_value for a in passes.attributes}["mcdropout.passes"] == 50
    assert request.start_time_unix_nano <= passes.start_time_unix_nano + 10**6
    assert passes.end_time_unix_nano <= request.end_time_unix_nano + 10**6


@pytest.mark.parametrize(
    ("variables", "message"),
    [({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is 'zipkin'; it takes otlp,")],
)
def test_invalid_tracing_settings_stop_the_start(variables: dict[str, str], message: str) -> None:
    with (
        pytest.raises(RuntimeError, match=message),
        local_server(STORE, os.environ | variables),
    ):
        pass
