"""Every error of /v2 is {"error": …}: what is wrong, where, and what would be right."""

import json
from typing import Any

import httpx
import numpy as np
import pytest

from tests.service.api.protocol import HEADER, packed, tensor
from tests.service.api.test_errors import error_of

URL = "/v2/models/digits/infer"
X = np.zeros((1, 64), np.float32)
ROWS = tensor("pixels", X)
ONE = ["drop_maps"]


def rows(**changes: Any) -> dict[str, Any]:
    return {"inputs": [ROWS | changes]}


def values(number: Any, at: int = 3) -> list[Any]:
    """64 numbers, one of which is replaced."""
    return [*[0] * at, number, *[0] * (63 - at)]


def outputs(*names: str, **parameters: Any) -> dict[str, Any]:
    rest = {"parameters": parameters} if parameters else {}
    return {"inputs": [ROWS], "outputs": [{"name": name} | rest for name in names]}


def parameters(**given: Any) -> dict[str, Any]:
    return {"inputs": [ROWS], "parameters": given}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "inputs is missing. Send an object such as"),
        ([], "the body is wrong: Input should be an object. Send an object such as"),
        (None, "the body is wrong: Input should be an object."),
        ({"inputs": []}, "inputs is a list: it takes 1 or more items, and has 0."),
        ({"inputs": {}}, "inputs is an object: Input should be a valid array."),
        ({"inputs": [5]}, "inputs[0] is 5: Input should be an object."),
        ({"inputs": [{}]}, "inputs[0].name is missing."),
        ({"inputs": [ROWS], "passes": 5}, "the body: 'passes' belongs in 'parameters'."),
        (
            {"inputs": [ROWS], "instances": []},
            "the body: unknown field 'instances'; the known fields are",
        ),
        ({"inputs": [ROWS], "id": 5}, "id is 5: Input should be a valid string."),
        (
            {"inputs": [ROWS, ROWS]},
            "inputs[1].name is 'pixels', the name of an earlier input.",
        ),
        (rows(name="image"), "inputs names inputs ['image']; the model has ['pixels']."),
        (rows(name=5), "inputs[0].name is 5: Input should be a valid string."),
        (rows(extra=5), "inputs[0]: unknown field 'extra'; the known fields are ['name', 'shape',"),
        (
            rows(datatype="BF16"),
            "inputs[0].datatype is the string 'BF16': the supported datatypes are BOOL,",
        ),
        (
            rows(datatype="fp32"),
            "inputs[0].datatype is the string 'fp32': the supported datatypes are BOOL,",
        ),
        (rows(shape=[]), "inputs[0].shape is a list: it takes 1 or more items, and has 0."),
        (rows(shape=[1] * 33), "inputs[0].shape is a list: it takes up to 32 items, and has 33."),
        (rows(shape=[-1, 64]), "inputs[0].shape[0] is -1: Input should be greater than or equal"),
        (rows(shape=[0, 64]), "inputs[0].shape[0] is 0: Input should be greater than or equal"),
        (rows(shape=[1.0, 64]), "inputs[0].shape[0] is 1.0: Input should be a valid integer."),
        (rows(shape=["1", 64]), "inputs[0].shape[0] is the string '1': Input should be a valid"),
        (rows(shape=[2**64, 64]), "inputs[0].shape[0] is 18446744073709551616: Input should be le"),
        (rows(shape=[2**40, 2**40]), "inputs[0].data has 64 values; shape [1099511627776, 1099"),
        (rows(shape=[2**62] * 32), "inputs[0].data has 64 values; shape [46116860184273879"),
        (rows(shape=[2, 64]), "inputs[0].data has 64 values; shape [2, 64] takes 128."),
        (
            rows(shape=[64]),
            "inputs[0] has shape (64,) and dtype float32; the model expects float32",
        ),
        (
            rows(shape=[2, 32]),
            "inputs[0] has shape (2, 32) and dtype float32; the model expects flo",
        ),
        (rows(shape=[1, 64, 1]), "inputs[0] has shape (1, 64, 1) and dtype float32;"),
        (rows(data=None), "inputs[0] has no data and no parameters.binary_data_size. Send one"),
        (rows(data=5), "inputs[0].data is 5: Input should be a valid array."),
        (rows(data=[]), "inputs[0].data has 0 values; shape [1, 64] takes 64."),
        (rows(data=values("1")), "inputs[0].data[3] is the string '1'; FP32 takes numbers."),
        (rows(data=values(None)), "inputs[0].data[3] is null; FP32 takes numbers."),
        (rows(data=values(True)), "inputs[0].data[3] is true; FP32 takes numbers."),
        (rows(data=values([1])), "inputs[0].data[3] is a list; FP32 takes numbers."),
        (rows(data=values({})), "inputs[0].data[3] is an object; FP32 takes numbers."),
        (rows(data=values(1e39)), "inputs[0].data[3] is 1e+39, which FP32 cannot represent."),
        (rows(data=values(10**400)), "inputs[0].data[3] is 1000000000000000000000000000000000000"),
        (rows(data=[[0] * 63]), "inputs[0].data[0] has 63 values; shape [1, 64] takes 64 there."),
        (rows(data=[[0] * 64] * 2), "inputs[0].data has 2 values; shape [1, 64] takes 1 there."),
        (rows(data=[values("x", 9)]), "inputs[0].data[0][9] is the string 'x'; FP32 takes num"),
        (rows(data=[[0]], shape=[1, 1]), "inputs[0] has shape (1, 1) and dtype float32;"),
        (
            rows(data=[[0] * 64, 5], shape=[2, 64]),
            "inputs[0].data[1] is 5; shape [2, 64] takes 64 there.",
        ),
        (
            rows(data=values(300), datatype="INT8"),
            "inputs[0].data[3] is 300, which INT8 cannot represent.",
        ),
        (
            rows(data=values(-1), datatype="UINT64"),
            "inputs[0].data[3] is -1, which UINT64 cannot represent.",
        ),
        (
            rows(data=values(1.5), datatype="INT32"),
            "inputs[0].data[3] is 1.5; INT32 takes whole numbers.",
        ),
        (
            rows(data=values(70000), datatype="FP16"),
            "inputs[0].data[3] is 70000, which FP16 cannot represent.",
        ),
        (
            rows(data=values(1e300), datatype="FP64"),
            "inputs[0].data[3] is 1e+300; the model expects float32, which cannot represent it.",
        ),
        (
            rows(data=values(1), datatype="BOOL"),
            "inputs[0].data[0] is 0; BOOL takes true or false.",
        ),
        (rows(data=[True] * 64, datatype="BOOL"), "inputs[0] has shape (1, 64) and dtype bool;"),
        (
            rows(parameters={"x": 1}),
            "inputs[0].parameters: unknown field 'x'; the known fields are ['bin",
        ),
        (
            rows(parameters={"shared_memory_region": "a"}),
            "inputs[0].parameters: unknown field 'shared_memory_region'; the known fields are "
            "['binary",
        ),
        (
            rows(parameters={"binary_data_size": 256}),
            "inputs[0] has both data and parameters.binary_data_size. Send one: numbers in data,",
        ),
        (
            rows(parameters={"binary_data_size": -1}, data=None),
            "inputs[0].parameters.binary_data_size is -1: Input should be greater than or equal",
        ),
        (
            rows(parameters={"binary_data_size": 10}, data=None),
            "binary_data_size is 10; shape [1, 64] of FP32 takes 256 bytes.",
        ),
        (
            rows(parameters={"binary_data_size": 256}, data=None),
            "the inputs have a binary_data_size, and the request has no header Inference-Header-",
        ),
        (
            outputs("x"),
            "outputs[0].name is 'x'; the outputs are ['mean', 'variance', 'predicted_clas",
        ),
        (
            outputs("mean", "mean"),
            "outputs[1].name is 'mean', the name of an earlier output.",
        ),
        (outputs("mean", classification=3), "outputs[0].parameters: 'classification' is not supp"),
        (outputs("mean", binary_data=1), "outputs[0].parameters.binary_data is 1: Input should be"),
        (
            outputs("mean", x=1),
            "outputs[0].parameters: unknown field 'x'; the known fields are ['binary",
        ),
        (
            outputs("mean") | {"parameters": {"training": False}},
            "outputs[0].name is 'mean', which requires passes; 'training' is false. Leave that "
            "out, or request ['probabilities'].",
        ),
        (
            parameters(samples=5),
            "parameters: unknown field 'samples'; the known fields are ['training',",
        ),
        (
            outputs("mean") | {"parameters": {"measures": "std"}},
            "parameters.measures is for a request without outputs, and there are some: name the "
            "measures as outputs.",
        ),
        (parameters(measures=["std"]), "parameters.measures is a list: Input should be a valid st"),
        (parameters(measures="std:1"), "measures gives 'std' arguments; it takes none."),
        (parameters(passes=1), "passes is 1; a variance needs at least 2."),
        (parameters(passes=10**9), "this server allows at most 1000000."),
        (parameters(passes=2.5), "parameters.passes is 2.5: it takes a whole number, or an"),
        (parameters(passes="100"), "passes is '100', in which '100' is not one more field"),
        (parameters(passes=True), "parameters.passes is true: it takes a whole number, or an"),
        (parameters(passes=float("inf")), "parameters.passes is Infinity: it takes a whole number"),
        (parameters(seed=-1), "seed is -1; it must be from 0 to 9007199254740991."),
        (parameters(seed=2**64), "it must be from 0 to 9007199254740991."),
        (parameters(masks="x"), 'masks is \'x\'; it must be "shared" or "per_row"'),
        (parameters(rate_scale=-1), "rate_scale is -1.0; it must be 0 or more."),
        (parameters(rate_scale="2"), "parameters.rate_scale is the string '2': Input should be a"),
        (parameters(rate_scale=10**400), "parameters.rate_scale is 1000000000"),
        (parameters(timeout=10**400), "parameters.timeout is 10000000000"),
        (parameters(sites="x, drop_maps"), "sites names ['x']; the model has ['drop_maps',"),
        (parameters(sites=""), "sites is empty, so that no site is active."),
        (parameters(sites=ONE), "parameters.sites is a list: Input should be a valid string."),
        (parameters(timeout=-1), "parameters.timeout is -1: Input should be greater than or equal"),
        (parameters(training=0), "parameters.training is 0: Input should be a valid boolean."),
        (
            parameters(training=False, passes=5),
            "parameters: 'training' is false, which runs one pass with dropout off: leave out "
            "['passes'].",
        ),
    ],
)
def test_invalid_body_is_explained(client: httpx.Client, body: Any, message: str) -> None:
    assert message in error_of(client.post(URL, content=json.dumps(body)), 400)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"",
            "the body is empty, or its JSON is incomplete. Send an object",
        ),
        (b"{", "the body is empty, or its JSON is incomplete. Send an object"),
        (b"\xff\xfe", "the body is not valid JSON: expected value at line 1 column 1."),
        (b'{"id": "\xff"}', "the body is not valid JSON: "),
        (b'{"inputs": ' + b"[" * 100_000, "the body is not valid JSON: recursion limit exceeded"),
        (
            b'{"inputs": [1' + b"0" * 10_000 + b"]}",
            "the body is not valid JSON: number out of range",
        ),
    ],
)
def test_invalid_json_is_explained(client: httpx.Client, content: bytes, message: str) -> None:
    assert message in error_of(client.post(URL, content=content), 400)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (values(float("nan")), "inputs[0].data[3] is nan; the model expects finite numbers."),
        (
            [values(float("-inf"))],
            "inputs[0].data[0][3] is -inf; the model expects finite numbers.",
        ),
    ],
)
def test_numbers_that_are_not_finite_are_refused(
    client: httpx.Client, data: Any, message: str
) -> None:
    assert message in error_of(client.post(URL, content=json.dumps(rows(data=data))), 400)


SENT = packed({"pixels": X})
TEXT = len(SENT["content"]) - 256


@pytest.mark.parametrize(
    ("content", "header", "message"),
    [
        (SENT["content"], "x", f"the header {HEADER} is 'x'; it must be a number of bytes."),
        (SENT["content"], "-1", f"the header {HEADER} is '-1'; it must be a number of bytes."),
        (SENT["content"], "9" * 5000, f"the header {HEADER} is '99999"),
        (SENT["content"], "10000", "says that the JSON has 10000 bytes; the whole body has "),
        (
            SENT["content"],
            str(TEXT - 1),
            "the body is empty, or its JSON is incomplete. Send an object",
        ),
        (SENT["content"], str(TEXT + 1), "the body is not valid JSON: "),
        (
            SENT["content"],
            "0",
            "the body is empty, or its JSON is incomplete. Send an object",
        ),
        (SENT["content"][:-1], str(TEXT), "255 bytes follow the JSON; the inputs' binary_data_siz"),
        (SENT["content"] + b"0", str(TEXT), "257 bytes follow the JSON; the inputs' binary_data_s"),
    ],
)
def test_bytes_that_contradict_their_description_are_refused(
    client: httpx.Client, content: bytes, header: str, message: str
) -> None:
    response = client.post(URL, content=content, headers={HEADER: header})
    assert message in error_of(response, 400)


def test_binary_numbers_are_checked_like_json_numbers(client: httpx.Client) -> None:
    bad = X.copy()
    bad[0, 7] = np.nan
    message = error_of(client.post(URL, **packed({"pixels": bad})), 400)
    assert message == "inputs[0].data[0][7] is nan; the model expects finite numbers."


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("POST", "/v2/models/nope/infer", 404, "no model 'nope'; this server has: co2, digits."),
        ("POST", "/v2/models/digits/versions/9/infer", 404, "no version 9; it has [1]."),
        (
            "POST",
            "/v2/models/digits/versions/x/infer",
            400,
            "the version in the path is 'x'; it must be a whole number of at most 18 digits",
        ),
        ("GET", "/v2/models/nope", 404, "no model 'nope'; this server has: co2, digits."),
        ("GET", "/v2/models/nope/ready", 404, "no model 'nope'; this server has: co2, digits."),
        ("GET", "/v2/models/digits/versions/9/ready", 404, "no version 9; it has [1]."),
        (
            "GET",
            "/v2/models/digits/infer",
            405,
            "this path accepts only POST. GET /docs lists all paths",
        ),
        ("GET", "/v2/models/..%2F..%2Fetc", 404, "unknown path."),
        ("GET", "/v2/models/digits/stats", 404, "unknown path."),
    ],
)
def test_unknown_address_is_explained(
    client: httpx.Client, method: str, path: str, status: int, message: str
) -> None:
    sent = json.dumps(rows()) if method == "POST" else None
    assert message in error_of(client.request(method, path, content=sent), status)


@pytest.mark.parametrize("body", [{"ready": 1}, {"read": True}, [], "x"])
def test_invalid_index_request_is_explained(client: httpx.Client, body: Any) -> None:
    error_of(client.post("/v2/repository/index", json=body), 400)


def test_compressed_body_is_refused(client: httpx.Client) -> None:
    for encoding in ("gzip", "deflate", "br"):
        headers = {"Content-Encoding": encoding}
        message = error_of(client.post(URL, content=b"x", headers=headers), 415)
        assert f"Content-Encoding is '{encoding}'; send the body without compression." in message


def test_body_over_64_mib_is_refused(client: httpx.Client) -> None:
    message = error_of(client.post(URL, content=b" " * ((64 << 20) + 1)), 413)
    assert "this server allows at most 67108864 bytes. Send fewer rows." in message


def test_server_still_answers_after_all_requests_above(client: httpx.Client) -> None:
    assert client.post(URL, json=rows()).status_code == 200
