"""Metadata of the server and its models, and loading and unloading by request."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from scripts.local_server import local_server
from service import Predictor, load_model
from service.api.app import create_app
from service.api.http.app_state import AppState
from service.core.measures import measures_of
from service.errors import StoppingError
from service.repository.registry import Repository
from service.runtime.device import choose_device
from service.scheduling.scheduler import Scheduler
from service.serving.data_plane import DataPlane
from tests.conftest import STORE


def test_server_metadata_lists_the_extensions(client: httpx.Client) -> None:
    metadata = client.get("/v2").json()
    assert metadata["name"] == "mcdropout"
    assert {"binary_tensor_data", "model_repository"} <= set(metadata["extensions"])
    # Models do not depend on each other, so no dependents are unloaded.
    assert "model_repository(unload_dependents)" not in metadata["extensions"]


def test_health(client: httpx.Client) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    ready = {"name": "digits", "ready": True}
    assert client.get("/v2/models/digits/ready").json() == ready
    assert client.get("/v2/models/digits/versions/1/ready").json() == ready


def test_model_metadata_lists_the_outputs(client: httpx.Client, digits: Predictor) -> None:
    metadata = client.get("/v2/models/digits").json()
    of_measures = metadata["outputs"][2:-3]
    assert {"name": "samples", "datatype": "FP64", "shape": [-1, -1, 10]}.items() <= next(
        output.items() for output in of_measures if output["name"] == "samples"
    )
    assert of_measures[0] == {
        "name": "predicted_class",
        "datatype": "INT64",
        "shape": [-1],
        "parameters": {
            "unit": "1",
            "description": "Index of the class with the largest mean probability.",
            "arguments": {},
        },
    }
    assert [output["name"] for output in of_measures] == measures_of(digits.terms.widest.facts)
    assert {output["datatype"] for output in of_measures} == {*("INT64", "BYTES", "FP64", "BOOL")}
    arguments = {output["name"]: output["parameters"]["arguments"] for output in of_measures}
    assert arguments["interval"] == {"level": 0.9}
    calibration = digits.terms.summary
    assert calibration is not None
    assert calibration.by_default
    summary = calibration.model_dump(mode="json", exclude_none=True)
    assert metadata == {
        "name": "digits",
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "pixels", "datatype": "FP32", "shape": [-1, 64]}],
        "outputs": [
            {"name": "mean", "datatype": "FP64", "shape": [-1, 10]},
            {"name": "variance", "datatype": "FP64", "shape": [-1, 10]},
            *of_measures,
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]},
            {"name": "row_passes", "datatype": "INT64", "shape": [-1]},
            {"name": "row_settled", "datatype": "BOOL", "shape": [-1]},
        ],
        "calibration": summary,
    }
    assert client.get("/v2/models/digits/versions/1").json() == metadata
    outputs = client.get("/v2/models/co2").json()["outputs"]
    co2 = load_model(STORE / "co2" / "1" / "model.onnx")
    named = ["mean", "variance", *measures_of(co2.terms.widest.facts), "ppm"]
    assert [output["name"] for output in outputs] == [*named, "row_passes", "row_settled"]


@pytest.mark.parametrize("name", ["digits", "co2"])
def test_all_listed_outputs_have_their_listed_form(client: httpx.Client, name: str) -> None:
    metadata = client.get(f"/v2/models/{name}").json()
    (spec,) = metadata["inputs"]
    size = spec["shape"][1]
    rows = {**spec, "shape": [3, size], "data": [1.0] * 3 * size}
    outputs = [{"name": output["name"]} for output in metadata["outputs"]]
    response = client.post(f"/v2/models/{name}/infer", json={"inputs": [rows], "outputs": outputs})
    passes = response.json()["parameters"]["passes"]
    for found, said in zip(response.json()["outputs"], metadata["outputs"], strict=True):
        assert (found["name"], found["datatype"]) == (said["name"], said["datatype"])
        # Of what is dynamic there is the batch, and the passes of the samples.
        assert found["shape"] == [3, *(passes if n == -1 else n for n in said["shape"][1:])]


def test_config_has_the_form_of_triton(client: httpx.Client) -> None:
    config = client.get("/v2/models/co2/config").json()
    assert (config["backend"], config["max_batch_size"]) == ("onnxruntime", 0)
    assert config["input"] == [{"name": "year", "data_type": "TYPE_FP32", "dims": [-1, 1]}]
    assert client.get("/v2/models/co2/versions/1/config").json() == config


def test_index_lists_every_version(client: httpx.Client) -> None:
    wanted = [
        {"name": name, "version": "1", "state": "READY", "reason": ""} for name in ("co2", "digits")
    ]
    assert client.post("/v2/repository/index").json() == wanted
    assert client.post("/v2/repository/index", json={"ready": True}).json() == wanted


@pytest.mark.slow
def test_broken_model_is_not_ready_and_other_models_are(tmp_path: Path) -> None:
    shutil.copytree(STORE / "co2", tmp_path / "co2")
    (tmp_path / "broken" / "1").mkdir(parents=True)
    with local_server(tmp_path) as server, httpx.Client(base_url=server.url) as client:
        for path in ("health/ready", "models/broken/ready", "models/broken"):
            response = client.get(f"/v2/{path}")
            assert (response.status_code, list(response.json())) == (503, ["error"])
        assert client.get("/v2/models/co2/ready").status_code == 200
        first, second = client.post("/v2/repository/index").json()
        assert (first["name"], first["state"]) == ("broken", "UNAVAILABLE")
        assert "cannot be read" in first["reason"]
        assert client.post("/v2/repository/index", json={"ready": True}).json() == [second]


def test_openapi_describes_infer(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    post = document["paths"]["/v2/models/{name}/infer"]["post"]
    content = post["requestBody"]["content"]
    assert set(content) == {"application/json", "application/octet-stream"}
    schema = content["application/json"]["schema"]
    assert schema["required"] == ["inputs"]
    fields = schema["properties"]["parameters"]["anyOf"][0]["properties"]
    assert {"passes", "seed", "sites"} <= set(fields)
    assert all("description" in field for field in fields.values())
    failures = {"400", "404", "413", "415", "422", "429", "503", "504", "default"}
    assert {"200", *failures} == set(post["responses"])
    for status in failures:
        schema = post["responses"][status]["content"]["application/json"]["schema"]
        assert schema["$ref"].endswith("/Error")
    answer = post["responses"]["200"]["content"]
    assert set(answer) == {"application/json", "application/octet-stream"}
    reference = answer["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert "outputs" in document["components"]["schemas"][reference]["required"]


class Controlled(Repository):
    """Records what it is asked to load and unload."""

    def __init__(self) -> None:
        super().__init__(STORE, load_model)
        self.calls: list[tuple[str, str]] = []

    def load(self, name: str) -> None:
        self.versions(name)  # raises
        self.calls.append(("load", name))

    def unload(self, name: str) -> None:
        self.versions(name)
        self.calls.append(("unload", name))


@pytest.fixture
def repository() -> Controlled:
    return Controlled()


@pytest.fixture
def shared(repository: Controlled) -> Iterator[AppState]:
    """Requests may load and unload models, and bodies have at most 100 bytes."""
    scheduler = Scheduler()
    plane = DataPlane(repository, scheduler)
    yield AppState(plane, choose_device("cpu"), control=True, max_body=100)
    scheduler.close(StoppingError("the test is over"))


@pytest.fixture
def app(shared: AppState) -> ASGIApp:
    return create_app(shared)


def post(app: ASGIApp, path: str, **sent: Any) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post(path, **sent)

    return asyncio.run(send())


def test_models_are_loaded_by_request_only_if_the_setting_allows_it(
    shared: AppState, repository: Controlled
) -> None:
    app = create_app(replace(shared, control=False))
    for what in ("load", "unload"):
        response = post(app, f"/v2/repository/models/digits/{what}")
        assert response.status_code == 403
        assert "MCDROPOUT_REPOSITORY_CONTROL=true enables it." in response.json()["error"]
    assert repository.calls == []


def test_models_are_loaded_and_unloaded_by_request(app: ASGIApp, repository: Controlled) -> None:
    path = "/v2/repository/models/digits"
    assert post(app, f"{path}/load").json() == {}
    assert post(app, f"{path}/load", json={}).json() == {}
    body = {"parameters": {"unload_dependents": True}}
    assert post(app, f"{path}/unload", json=body).json() == {}
    assert repository.calls == [("load", "digits")] * 2 + [("unload", "digits")]
    response = post(app, "/v2/repository/models/nope/load")
    assert (response.status_code, list(response.json())) == (404, ["error"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"parameters": {"config": "{}"}}, "parameters: 'config' is not supported: a model is"),
        ({"parameters": {"file:1/model.onnx": "AA"}}, "'file:1/model.onnx' is not supported"),
        (
            {"parameters": {"x": 1}},
            "unknown field 'x'; the known fields are ['unload_dependents'].",
        ),
        ({"parameters": {"unload_dependents": 1}}, "unload_dependents is 1: Input should be a"),
        ([], "the body is wrong: Input should be an object. Send nothing, or {}."),
    ],
)
def test_load_accepts_no_other_configuration(
    app: ASGIApp, repository: Controlled, body: Any, message: str
) -> None:
    response = post(app, "/v2/repository/models/digits/load", json=body)
    assert response.status_code == 400
    assert message in response.json()["error"]
    assert repository.calls == []


@pytest.mark.parametrize("sized", [True, False])
def test_body_over_the_limit_is_refused(app: ASGIApp, sized: bool) -> None:
    async def parts() -> Any:
        for _ in range(11):
            yield b" " * 10

    content: Any = b" " * 101 if sized else parts()
    response = post(app, "/v2/models/digits/infer", content=content)
    assert response.status_code == 413
    assert "the body is too large; this server allows at most 100 bytes." in response.text
    response = post(app, "/v2/repository/models/digits/load", content=b"{}" + b" " * 98)
    assert response.status_code == 200
