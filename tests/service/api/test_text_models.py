"""Text models over HTTP: both protocols, NumPy's files, and public clients."""

import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from scripts.local_server import LocalServer, local_server
from service import load_model
from service.client import Client, InvalidCallError
from service.protocol.prediction import Prediction
from tests.service.api.protocol import HEADER, opened
from tests.service.api.test_v2_clients import with_kserve
from tests.service.text_model import save_text_model

pytestmark = pytest.mark.slow

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import kserve
    import tritonclient.http as triton

TEXTS = ["good good film", "Ünsinn 漢字 \U0001f600", "", "bad\tfilm"]
ROWS = [[text] for text in TEXTS]
PARAMETERS = {"passes": 20, "seed": 7}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("store")
    save_text_model(store / "texts" / "1" / "model.onnx")
    return store


@pytest.fixture(scope="module")
def wanted(store: Path) -> Prediction:
    return load_model(store / "texts" / "1" / "model.onnx").predict(ROWS, passes=20, seed=7)


@pytest.fixture(scope="module")
def texts(store: Path) -> Iterator[LocalServer]:
    with local_server(store) as running:
        yield running


@pytest.fixture(scope="module")
def http(texts: LocalServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=texts.url, timeout=60) as client:
        yield client


def means(response: httpx.Response) -> list[list[float]]:
    assert response.status_code == 200, response.text
    return [row["mean"] for row in response.json()["predictions"]]


def test_json_rows_of_v1(http: httpx.Client, wanted: Prediction) -> None:
    body = {"instances": ROWS, **PARAMETERS}
    assert means(http.post("/v1/models/texts:predict", json=body)) == wanted.mean.tolist()
    body = {"inputs": {"text": ROWS}, **PARAMETERS}
    answer = http.post("/v1/models/texts:predict", json=body).json()
    assert answer["outputs"]["mean"] == wanted.mean.tolist()


@pytest.mark.parametrize("big_endian", [False, True])
def test_numpy_files_of_v1(http: httpx.Client, wanted: Prediction, big_endian: bool) -> None:
    array = np.array(ROWS)
    if big_endian:
        array = array.astype(array.dtype.newbyteorder(">"))
    for given in (array, np.asfortranarray(array), np.char.encode(array, "utf-8")):
        file, archive = io.BytesIO(), io.BytesIO()
        np.save(file, given, allow_pickle=False)
        np.savez(archive, allow_pickle=False, text=given)
        for kind, content in (("npy", file), ("npz", archive)):
            answer = http.post(
                "/v1/models/texts:predict",
                params=PARAMETERS,
                content=content.getvalue(),
                headers={"Content-Type": f"application/x-{kind}"},
            )
            assert means(answer) == wanted.mean.tolist()


@pytest.mark.parametrize("nested", [False, True])
def test_json_tensors_of_v2(http: httpx.Client, wanted: Prediction, nested: bool) -> None:
    data = ROWS if nested else TEXTS
    rows = {"name": "text", "shape": [4, 1], "datatype": "BYTES", "data": data}
    answer = http.post("/v2/models/texts/infer", json={"inputs": [rows], "parameters": PARAMETERS})
    assert answer.status_code == 200, answer.text
    np.testing.assert_array_equal(opened(answer)[1]["mean"], wanted.mean)


def test_binary_tensors_of_v2(http: httpx.Client, wanted: Prediction) -> None:
    contents = [text.encode() for text in TEXTS]
    tail = b"".join(len(one).to_bytes(4, "little") + one for one in contents)
    said = {"name": "text", "shape": [4, 1], "datatype": "BYTES"}
    rows = {**said, "parameters": {"binary_data_size": len(tail)}}
    head = json.dumps({"inputs": [rows], "parameters": PARAMETERS}).encode()
    answer = http.post(
        "/v2/models/texts/infer", content=head + tail, headers={HEADER: str(len(head))}
    )
    assert answer.status_code == 200, answer.text
    np.testing.assert_array_equal(opened(answer)[1]["mean"], wanted.mean)


def test_metadata_declare_strings(http: httpx.Client) -> None:
    (tensor,) = http.get("/v2/models/texts").json()["inputs"]
    assert tensor == {"name": "text", "datatype": "BYTES", "shape": [-1, 1]}
    (config,) = http.get("/v2/models/texts/config").json()["input"]
    assert config["data_type"] == "TYPE_STRING"
    signature = http.get("/v1/models/texts/metadata").json()["metadata"]["signature_def"]
    inputs = signature["signature_def"]["serving_default"]["inputs"]
    assert inputs["text"]["dtype"] == "DT_STRING"
    assert http.get("/v1/models/texts").json()["inputs"][0]["dtype"] == "string"


@pytest.mark.parametrize("rows", [ROWS, np.array(ROWS), np.array(ROWS, object)])
def test_client_sends_strings(texts: LocalServer, wanted: Prediction, rows: Any) -> None:
    with Client(texts.url) as client:
        found = client.predict("texts", rows, passes=20, seed=7)
        np.testing.assert_array_equal(found.mean, wanted.mean)
        np.testing.assert_array_equal(found.variance, wanted.variance)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["a"], [5]], r"x\[1\]\[0\] is of type int; the model expects strings"),
        ([["a"], ["\ud800"]], r"x\[1\]\[0\] is not valid UTF-8 text"),
        ([["a"], ["b", "c"]], r"x\[1\] has shape \(2,\), and x\[0\] has \(1,\)"),
        (np.array([[1.0]]), "has elements of type float64; the model expects string"),
    ],
)
def test_client_sends_nothing_but_strings(texts: LocalServer, rows: Any, said: str) -> None:
    with Client(texts.url) as client, pytest.raises(InvalidCallError, match=said):
        client.predict("texts", rows)


@pytest.mark.parametrize("binary", [False, True])
def test_triton_client_infers(texts: LocalServer, wanted: Prediction, binary: bool) -> None:
    rows = triton.InferInput("text", [4, 1], "BYTES")
    rows.set_data_from_numpy(np.array(ROWS, object), binary_data=binary)
    with triton.InferenceServerClient(texts.url.removeprefix("http://")) as client:
        answer = client.infer("texts", [rows], parameters=PARAMETERS)
    np.testing.assert_array_equal(answer.as_numpy("mean"), wanted.mean)


@pytest.mark.parametrize("binary", [False, True])
def test_kserve_client_infers(texts: LocalServer, wanted: Prediction, binary: bool) -> None:
    rows = kserve.InferInput("text", [4, 1], "BYTES")
    rows.set_data_from_numpy(np.array([[t.encode()] for t in TEXTS], object), binary_data=binary)

    async def ask(client: Any) -> Any:
        request = kserve.InferRequest("texts", [rows], parameters=PARAMETERS)
        return await client.infer(texts.url, request, model_name="texts")

    answer = with_kserve(ask)
    found = {output.name: output.as_numpy() for output in answer.outputs}
    np.testing.assert_array_equal(found["mean"].reshape(4, 1), wanted.mean)
