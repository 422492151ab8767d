"""Failures of metrics, logs and traces do not affect answers."""

import asyncio
import gc
import json
import logging
import os
import re
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from scripts.local_server import local_server
from service import Predictor, load_model
from service.api.app import create_app
from service.api.http import observe
from service.api.http.app_state import AppState
from service.api.http.observe import access
from service.errors import StoppingError
from service.guarded import failures, guarded
from service.manifest import METADATA_KEY
from service.protocol.prediction import OutputPrediction, Prediction
from service.repository.registry import Repository
from service.runtime.device import choose_device
from service.scheduling.scheduler import Scheduler
from service.serving.data_plane import DataPlane
from service.serving.metrics import Metrics
from service.serving.tracing import Tracing
from tests.conftest import STORE

pytestmark = pytest.mark.slow

BODY = {"instances": [[4.0] * 64], "passes": 10, "seed": 7}
URL = "/v1/models/digits:predict"


def broken(*_: object, **__: object) -> Any:
    raise RuntimeError("broken on purpose")


def test_failing_observer_is_logged_once_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = failures()["banner"]
    for _ in range(3):
        assert guarded("banner", broken) is None
    assert guarded("banner", lambda: 7) == 7
    assert failures()["banner"] == before + 3
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "broken on purpose" in str(record.exc_text or record.exc_info)


class BrokenTracing(Tracing):
    begin = broken
    end = broken
    passes = broken


@pytest.fixture
def shared() -> Iterator[AppState]:
    """Two models, and a server whose metrics, logs and traces all fail."""
    repository = Repository(STORE, load_model)
    repository.load_all()
    metrics = Metrics()
    scheduler = Scheduler(on_time_slice=broken)
    metrics.watch(repository, scheduler)
    plane = DataPlane(repository, scheduler, metrics=metrics, tracing=BrokenTracing())
    yield AppState(plane, choose_device("cpu"))
    scheduler.close(StoppingError("the test is over"))


def test_answers_are_unaffected_by_failing_metrics_logs_and_traces(
    shared: AppState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both for answers by the event loop and by the scheduler's thread."""
    for name in ("ended", "answered"):
        monkeypatch.setattr(shared.plane.metrics, name, broken)
    monkeypatch.setattr(shared.plane.metrics.uncertainty, "observe", broken)
    monkeypatch.setattr(shared.plane.metrics.uncertainty, "collect", broken)
    monkeypatch.setattr(observe, "_log", broken)
    monkeypatch.setattr(access, "isEnabledFor", lambda _: True)

    async def ask() -> tuple[list[int], httpx.Response]:
        transport = httpx.ASGITransport(create_app(shared))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            for passes in (1000, 10):
                calls = [client.post(URL, json={**BODY, "passes": passes}) for _ in range(3)]
                together = await asyncio.gather(*calls)
                alone = await client.post(URL, json={**BODY, "passes": passes})
            answers = [*together, alone, await client.get("/health/ready")]
            return [answer.status_code for answer in answers], await client.get("/metrics")

    statuses, page = asyncio.run(ask())
    assert statuses == [200] * 5
    assert page.status_code == 200
    counts = {
        sample.labels["observer"]: sample.value
        for family in text_string_to_metric_families(page.text)
        for sample in family.samples
        if sample.name == "mcdropout_observer_failures_total" and sample.value
    }
    assert {"metrics", "time slices", "traces", "access log", "metrics page"} <= set(counts)
    assert "mcdropout_model_ready" in page.text


def with_classes(content: bytes, classes: int) -> bytes:
    """The digits model with its first classes only."""
    model = onnx.load_model_from_string(content)
    for node in model.graph.node:
        for index, name in enumerate(node.output):
            if name == "probabilities":
                node.output[index] = "all"
    for name, number in (("first", 0), ("last", classes), ("axis", 1)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([number]), name))
    inputs = ["all", "first", "last", "axis"]
    model.graph.node.append(onnx.helper.make_node("Slice", inputs, ["some"]))
    model.graph.node.append(onnx.helper.make_node("Softmax", ["some"], ["probabilities"]))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = classes
    (entry,) = (e for e in model.metadata_props if e.key == METADATA_KEY)
    manifest = json.loads(entry.value)
    manifest["labels"] = manifest["labels"][:classes]
    manifest["outputs"][0]["shape"][1] = classes
    entry.value = json.dumps(manifest)
    changed: bytes = model.SerializeToString()
    return changed


def test_changed_number_of_classes_breaks_neither_metrics_nor_answers(
    tmp_path: Path, digits_path: Path
) -> None:
    path = tmp_path / "store" / "digits" / "1" / "model.onnx"
    path.parent.mkdir(parents=True)
    shutil.copy(digits_path, path)
    env = os.environ | {"MCDROPOUT_REPOSITORY_CONTROL": "true"}
    # Their 4,921 numbers are not rows of ten, and metrics are computed for 1,024 rows at a time.
    many = {**BODY, "instances": [[4.0] * 64] * 703, "passes": 2}
    connections = set()
    with (
        local_server(tmp_path / "store", env) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        assert client.post(URL, json=BODY).status_code == 200
        path.write_bytes(with_classes(digits_path.read_bytes(), 7))
        assert client.post("/v2/repository/models/digits/load").status_code == 200
        for _ in range(3):
            answer = client.post(URL, json=many)
            assert len(answer.json()["predictions"][0]["mean"]) == 7
            connections.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
        page = client.get("/metrics")
        assert page.status_code == 200
    assert len(connections) == 1
    labels = '{model="digits",output="probabilities",version="1"}'
    assert f"mcdropout_predictive_entropy_ratio_count{labels} 2110.0" in page.text
    assert set(re.findall(r"mcdropout_observer_failures_total{.*} (.*)", page.text)) == {"0.0"}


def test_large_answer_is_counted_at_once_and_not_kept(digits: Predictor) -> None:
    uncertainty = Metrics().uncertainty
    manifest = digits.manifest.model_copy(update={"task": "regression"})
    found = Prediction({"y": OutputPrediction(np.ones((2, 10_000)), np.ones((2, 10_000)))}, 2, 0)
    kept = weakref.ref(found["y"].variance)
    uncertainty.observe("m", "1", manifest, found)
    del found
    gc.collect()
    assert kept() is None


def test_rows_without_a_class_axis_are_not_classes(digits: Predictor) -> None:
    """(B,) outputs: 3 rows are not 3 classes."""
    uncertainty = Metrics().uncertainty
    manifest = digits.manifest
    output = OutputPrediction(np.full(3, 0.5), np.full(3, 0.25))
    uncertainty.observe("m", "1", manifest, Prediction({"y": output}, 2, 0))
    entropy, deviation = uncertainty.collect()
    assert not entropy.samples
    assert {s.value for s in deviation.samples if s.name.endswith("_count")} == {3.0}
