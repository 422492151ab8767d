"""The public clients of the protocol, unmodified."""

import asyncio
import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from models.zoo.data import digits_splits
from scripts.local_server import LocalServer
from service import Predictor

pytestmark = pytest.mark.slow

# Importing them gives deprecation warnings; the tests themselves must not warn.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import kserve
    import tritonclient.http as triton
    from kserve.protocol.infer_type import RequestedOutput
    from tritonclient.utils import InferenceServerException

X = digits_splits()[1].x[:5].astype(np.float32)
PARAMETERS = {"passes": 20, "seed": 7}


@pytest.fixture
def triton_client(server: LocalServer) -> Iterator[Any]:
    with triton.InferenceServerClient(server.url.removeprefix("http://")) as client:
        yield client


def triton_rows(binary: bool) -> list[Any]:
    rows = triton.InferInput("pixels", list(X.shape), "FP32")
    rows.set_data_from_numpy(X, binary_data=binary)
    return [rows]


def test_triton_reads_health_and_metadata(triton_client: Any) -> None:
    assert triton_client.is_server_live()
    assert triton_client.is_server_ready()
    assert triton_client.is_model_ready("digits")
    assert triton_client.is_model_ready("digits", "1")
    assert not triton_client.is_model_ready("nope")
    assert triton_client.get_server_metadata()["name"] == "mcdropout"
    assert triton_client.get_model_metadata("digits")["inputs"][0]["name"] == "pixels"
    assert triton_client.get_model_metadata("digits", "1")["versions"] == ["1"]
    assert triton_client.get_model_config("co2")["input"][0]["dims"] == [-1, 1]
    index = triton_client.get_model_repository_index()
    assert [(m["name"], m["state"]) for m in index] == [("co2", "READY"), ("digits", "READY")]


@pytest.mark.parametrize("binary_in", [False, True])
@pytest.mark.parametrize("binary_out", [False, True, None])
def test_triton_infers(
    triton_client: Any, digits: Predictor, binary_in: bool, binary_out: bool | None
) -> None:
    wanted = digits.predict(X, passes=20, seed=7)
    outputs = None
    if binary_out is not None:
        outputs = [triton.InferRequestedOutput(n, binary_out) for n in ("variance", "mean")]
    result = triton_client.infer(
        "digits",
        triton_rows(binary_in),
        outputs=outputs,
        request_id="42",
        parameters=PARAMETERS,
        priority=1,
        timeout=10**7,
        sequence_id=3,
    )
    np.testing.assert_array_equal(result.as_numpy("mean"), wanted.mean)
    np.testing.assert_array_equal(result.as_numpy("variance"), wanted.variance)
    answer = result.get_response()
    assert (answer["id"], answer["parameters"]) == ("42", PARAMETERS)


def test_triton_infers_in_the_background(triton_client: Any) -> None:
    asked = triton_client.async_infer("digits", triton_rows(True), model_version="1")
    assert asked.get_result().as_numpy("mean").shape == (5, 10)


def test_triton_reads_the_error(triton_client: Any) -> None:
    with pytest.raises(InferenceServerException, match="passes is 1; a variance needs") as error:
        triton_client.infer("digits", triton_rows(True), parameters={"passes": 1})
    assert error.value.status() == "400"
    with pytest.raises(InferenceServerException, match="send the body without compression"):
        triton_client.infer("digits", triton_rows(True), request_compression_algorithm="gzip")
    outputs = [triton.InferRequestedOutput("mean", class_count=3)]
    with pytest.raises(InferenceServerException, match="'classification' is not supported"):
        triton_client.infer("digits", triton_rows(True), outputs=outputs)
    with pytest.raises(InferenceServerException, match="MCDROPOUT_REPOSITORY_CONTROL"):
        triton_client.load_model("digits")
    with pytest.raises(InferenceServerException, match="MCDROPOUT_REPOSITORY_CONTROL"):
        triton_client.unload_model("digits")


def with_kserve(work: Any) -> Any:
    """Run `work` with a client of KServe, in a new event loop."""

    async def run() -> Any:
        client = kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v2", timeout=60))
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(run())


def test_kserve_reads_health(server: LocalServer) -> None:
    async def ask(client: Any) -> list[bool]:
        return [
            await client.is_server_live(server.url),
            await client.is_server_ready(server.url),
            await client.is_model_ready(server.url, "digits"),
            await client.is_model_ready(server.url, "nope"),
        ]

    assert with_kserve(ask) == [True, True, True, False]


def kserve_request(binary: bool, parameters: dict[str, Any], **rest: Any) -> Any:
    rows = kserve.InferInput("pixels", list(X.shape), "FP32")
    rows.set_data_from_numpy(X, binary_data=binary)
    return kserve.InferRequest(
        "digits", [rows], request_id="42", parameters=dict(parameters), **rest
    )


@pytest.mark.parametrize("binary_in", [False, True])
@pytest.mark.parametrize("binary_out", [False, True])
def test_kserve_infers(
    server: LocalServer, digits: Predictor, binary_in: bool, binary_out: bool
) -> None:
    parameters = PARAMETERS | {"binary_data_output": binary_out}
    request = kserve_request(binary_in, parameters)

    async def ask(client: Any) -> Any:
        return await client.infer(server.url, request, model_name="digits")

    answer = with_kserve(ask)
    wanted = digits.predict(X, passes=20, seed=7)
    found = {output.name: output.as_numpy() for output in answer.outputs}
    np.testing.assert_array_equal(found["mean"], wanted.mean)
    np.testing.assert_array_equal(found["variance"], wanted.variance)
    assert (answer.id, answer.parameters) == ("42", PARAMETERS)


def test_kserve_selects_outputs_and_reads_the_error(server: LocalServer) -> None:
    names = ["mutual_information", "probabilities"]
    good = kserve_request(True, PARAMETERS, request_outputs=[RequestedOutput(n) for n in names])
    bad = kserve_request(True, {"passes": 1})

    async def ask(client: Any) -> Any:
        answer = await client.infer(server.url, good, model_name="digits")
        with pytest.raises(httpx.HTTPStatusError, match="passes is 1; a variance needs"):
            await client.infer(server.url, bad, model_name="digits")
        return [output.name for output in answer.outputs]

    assert with_kserve(ask) == names
