"""Every error is {"error": …}, which says what is wrong, where, and what would be right."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.local_server import local_server
from tests.conftest import STORE
from tests.error_table import row_of

ROW = [0.0] * 64
URL = "/v1/models/digits:predict"


def error_of(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"]
    message = response.json()["error"]
    assert isinstance(message, str)
    row_of(status, message)
    return message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"instances": []}, "instances is empty; send at least one row."),
        ({"instances": [ROW[:63]]}, "instances[0] has 63 values; the model expects 64 there"),
        ({"instances": [ROW, ROW[:3]]}, "instances[1] has 3 values; the model expects 64 there"),
        (
            {"instances": [[*ROW[:63], "x"]]},
            "instances[0][63] is the string 'x'; the model expects",
        ),
        ({"instances": [[*ROW[:63], None]]}, "instances[0][63] is null; the model expects float32"),
        ({"instances": ROW}, "instances[0] is the number 0.0; the model expects lists of shape"),
        ({"instances": [[ROW]]}, "instances[0] has 1 values; the model expects 64 there"),
        ({"instances": "abc"}, "instances is the string 'abc': Input should be a valid array."),
        ({"instances": [{"image": ROW}]}, "instances[0] is not an object with exactly the model's"),
        ({"inputs": {"image": [ROW]}}, "inputs names inputs ['image']; the model has ['pixels']."),
        ({"inputs": {"pixels": [ROW[:2]]}}, "inputs.pixels[0] has 2 values;"),
        ({"instances": [{"pixels": ROW[:2]}]}, "instances[0].pixels has 2 values;"),
        ({}, "give exactly one of 'instances' (rows) and 'inputs' (columns)"),
        ({"instances": [ROW], "inputs": [ROW]}, "give exactly one of 'instances'"),
        ({"instances": [ROW], "passes": 0}, "passes is 0; a variance needs at least 2."),
        ({"instances": [ROW], "passes": 1}, "passes is 1; a variance needs at least 2."),
        ({"instances": [ROW], "passes": -3}, "passes is -3; a variance needs at least 2."),
        ({"instances": [ROW], "passes": 10**9}, "this server allows at most 1000000."),
        ({"instances": [ROW] * 3, "passes": 400_000}, "3 rows × 400000 passes are 1200000 samples"),
        (
            {"instances": [ROW], "masks": "x"},
            "masks is 'x'; it must be \"shared\" or",
        ),
        ({"instances": [ROW], "rate_scale": -1}, "rate_scale is -1.0; it must be 0 or more."),
        (
            {"instances": [ROW], "rate_scale": 2.5},
            "rate_scale is 2.5, which changes the rate of site",
        ),
        (
            {"instances": [ROW], "rate_scale": "2"},
            "rate_scale is the string '2': Input should be a",
        ),
        ({"instances": [ROW], "sites": ["x"]}, "sites names ['x']; the model has ['drop_maps',"),
        ({"instances": [ROW], "sites": []}, "sites is empty, so that no site is active."),
        (
            {"instances": [ROW], "sites": "drop_maps"},
            "sites is the string 'drop_maps': Input should",
        ),
        (
            {"instances": [ROW], "passes": 2.5},
            "passes is 2.5: it takes a whole number",
        ),
        (
            {"instances": [ROW], "passes": "100"},
            "passes is '100', in which '100' is not one more field; it must be a whole number",
        ),
        (
            {"instances": [ROW], "passes": True},
            "passes is true: it takes a whole number",
        ),
        ({"instances": [ROW], "seed": -1}, "seed is -1; it must be from 0 to 9007199254740991."),
        ({"instances": [ROW], "seed": 2**64}, "it must be from 0 to 9007199254740991."),
        ({"instances": [ROW], "measures": ["x"]}, "measures names ['x']; a model of task"),
        ({"instances": [ROW], "measures": [1]}, "measures[0] is 1: it takes a name, or an object"),
        ({"instances": [ROW], "measures": [{}]}, "measures has an object of 0 fields; it takes na"),
        (
            {"instances": [ROW], "samples": 5},
            "the body: unknown field 'samples'; the known fields are ['",
        ),
        ({"instances": [ROW], "training": False, "passes": 5}, "'training' is false, which runs"),
        (
            {"inputs": [{"name": "pixels", "shape": [1, 64], "datatype": "FP32", "data": ROW}]},
            "inputs is a list of tensors, as for POST /v2/models/{name}/infer. ",
        ),
        ([1, 2], "the body is wrong: Input should be an object"),
        ("text", "the body is wrong: Input should be an object"),
        (None, "the body is"),
    ],
)
def test_invalid_body_is_explained(client: httpx.Client, body: Any, message: str) -> None:
    assert message in error_of(client.post(URL, json=body), 400)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the body is empty, or its JSON is incomplete. Send an object such as"),
        (b"{", "the body is empty, or its JSON is incomplete."),
        (b"instances=1", "the body is not valid JSON: "),
        (b"\xff\xfe", "the body is not valid JSON: "),
        (
            b'{"instances": "\xff"}',
            "the body is not valid JSON: invalid unicode code point at line 1",
        ),
        (b"[" * 100_000, "the body is not valid JSON: recursion limit exceeded at line 1"),
        (
            b'{"instances": [[NaN' + b", 0" * 63 + b"]]}",
            "instances[0][0] is nan; the model expects",
        ),
        (b'{"instances": [[-Infinity' + b", 0" * 63 + b"]]}", "instances[0][0] is -inf;"),
        (b'{"instances": [[1e999' + b", 0" * 63 + b"]]}", "instances[0][0] is inf;"),
        (b'{"instances": [[1e300' + b", 0" * 63 + b"]]}", "instances[0][0] is 1e+300; the model"),
    ],
)
def test_invalid_json_is_explained(client: httpx.Client, content: bytes, message: str) -> None:
    response = client.post(URL, content=content, headers={"Content-Type": "application/json"})
    assert message in error_of(response, 400)


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("POST", "/v1/models/nope:predict", 404, "no model 'nope'; this server has: co2, digits."),
        ("GET", "/v1/models/nope", 404, "no model 'nope'; this server has: co2, digits."),
        ("GET", "/v1/models/..%2F..%2Fetc", 404, "unknown path."),
        ("POST", "/v1/models/digits/versions/9:predict", 404, "no version 9; it has [1]."),
        (
            "POST",
            "/v1/models/digits/versions/x:predict",
            400,
            "the version in the path is 'x'; it must be a whole number of at most 18 digits",
        ),
        (
            "GET",
            "/v1/models/digits/versions/x",
            400,
            "the version in the path is 'x'; it must be a",
        ),
        ("POST", "/v1/models/digits:classify", 404, "unknown path."),
        ("GET", "/nowhere", 404, "GET /nowhere: unknown path."),
        (
            "GET",
            "/v1/models/digits:predict",
            405,
            "this path accepts only POST. GET /docs lists",
        ),
        ("GET", "/v1/models/digits/versions/1:predict", 405, "this path accepts only POST."),
        ("POST", "/v1/models/digits", 405, "this path accepts only GET."),
        (
            "DELETE",
            "/v1/models/digits",
            405,
            "this path accepts only GET. GET /docs lists all paths",
        ),
    ],
)
def test_unknown_address_is_explained(
    client: httpx.Client, method: str, path: str, status: int, message: str
) -> None:
    body = {"instances": [ROW]} if method == "POST" else None
    assert message in error_of(client.request(method, path, json=body), status)


def test_wrong_method_is_answered_with_the_right_ones(client: httpx.Client) -> None:
    assert client.get(URL).headers["Allow"] == "POST"
    assert client.post("/v1/models").headers["Allow"] == "GET"


@pytest.mark.parametrize("path", [URL, "/v2/models/digits/infer", "/v2/repository/index"])
@pytest.mark.parametrize("kind", ["text/csv", "multipart/form-data; boundary=x", "image/png", "x"])
def test_body_of_another_content_type_is_refused(
    client: httpx.Client, path: str, kind: str
) -> None:
    message = error_of(client.post(path, content=b"{}", headers={"Content-Type": kind}), 415)
    assert f"Content-Type is {kind.partition(';')[0]!r}; send application/json" in message


@pytest.mark.parametrize(
    "kind",
    [
        *(None, "", "application/json; charset=utf-8", "Application/JSON", "text/json"),
        *("application/vnd.api+json", "application/x-www-form-urlencoded"),
    ],
)
def test_other_content_types_of_json_are_accepted(client: httpx.Client, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    content = json.dumps({"instances": [ROW]})
    assert client.post(URL, content=content, headers=headers).status_code == 200


@pytest.mark.slow
def test_broken_model_is_reported_and_other_models_serve(tmp_path: Path) -> None:
    shutil.copytree(STORE / "co2", tmp_path / "co2")
    truncated = tmp_path / "digits" / "1" / "model.onnx"
    truncated.parent.mkdir(parents=True)
    truncated.write_bytes((STORE / "digits" / "1" / "model.onnx").read_bytes()[:50_000])
    with local_server(tmp_path) as server, httpx.Client(base_url=server.url) as client:
        details = client.get("/v1/models/digits").json()
        assert details["state"] == "failed"
        assert "(50000 bytes) is not a whole ONNX file" in details["reason"]
        message = error_of(client.post(URL, json={"instances": [ROW]}), 503)
        assert message.startswith("model 'digits' version 1 is not ready (failed): ")
        assert "['digits']" in error_of(client.get("/health/ready"), 503)
        answer = client.post("/v1/models/co2:predict", json={"instances": [[2000.0]]})
        assert answer.status_code == 200
        logged = (line for line in server.lines if "model digits version 1 failed: " in line)
        assert "is not a whole ONNX file" in next(logged)
        assert any(line.endswith("cannot answer: digits (failed).\n") for line in server.lines)


def test_server_still_answers_after_all_requests_above(client: httpx.Client) -> None:
    for _ in range(3):
        assert client.post(URL, json={"instances": [ROW]}).status_code == 200
        time.sleep(0.01)
