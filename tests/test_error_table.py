"""Each row of docs/errors.md is the answer of a real server, which gives no other errors."""

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
import pytest

from scripts.local_server import LocalServer, local_server
from tests.conftest import ROOT, STORE
from tests.error_table import Row, row_of, rows
from tests.service.api.protocol import HEADER, packed, save_all_types, tensor
from tests.service.api.test_arrays import npy, npz
from tests.service.calibration.models import save_calibrated
from tests.service.reference import save
from tests.service.said import save_said
from tests.service.server.test_endless import endless
from tests.service.server.test_faults import in_flight, read_all
from tests.service.text_model import save_text_model

KEYS = {right: f"{right}-0123456789abcdef" for right in ("predict", "control", "all")}
#: Rows without an answer, because the client has disconnected.
UNSEEN = {
    "the client disconnected before it had sent its request.": "service/api/http/body.py",
    "the client disconnected; its passes were stopped.": "service/serving/data_plane.py",
}

V1, V2 = "/v1/models/digits:predict", "/v2/models/digits/infer"
CO2 = "/v1/models/co2:predict"
#: A request without the noise that the calibration knows.
PLAIN = {"instances": [[1.0]], "calibrated": False}
ROW = [4.0] * 64
X = np.full((1, 64), 4, np.float32)
LONG = {"instances": [ROW] * 4, "passes": 200_000}
FREE, TEXTS = "/v1/models/free:predict", "/v1/models/texts:predict"
#: A row has 12,000 outputs; all samples of 12,000 passes take 549 MiB.
KEPT = {"instances": [[0.0] * 12_000], "passes": 12_000, "measures": ["quantiles"]}
SET = {"measures": ["prediction_set"]}
ACCEPTED = {"decide": {"measure": "accept"}}
#: A calibration without sets, and with a threshold of a measure that rules cannot decide.
FITTED: dict[str, Any] = {
    "sets": [],
    "selection": {
        "measure": "mutual_information",
        **{"threshold": 0.1, "keep": "at_most", "coverage": 0.9, "guarantee": "none"},
    },
}
ON_SAMPLES = {"measure": "mutual_information", "threshold": 1}
NPY, NPZ, RAW = "application/x-npy", "application/x-npz", "application/octet-stream"
TENSOR = tensor("pixels", X)


def unforeseen(length: int) -> dict[str, Any]:
    """A long request for the model `free`, whose rows of a new length take an unknown time."""
    return {"instances": [[0.0] * length], "passes": 500_000}


@dataclass(frozen=True)
class Case:
    """A request, and a part of the row that contains its answer.

    Attributes:
        row: a part of exactly one row.
        path: of the request.
        body: JSON, or bytes to send unchanged.
        method, headers: of the request.
        odd: whether it is sent to the server with odd models and low limits.
    """

    row: str
    path: str
    body: Any = None
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    odd: bool = False

    def ask(self, client: httpx.Client) -> httpx.Response:
        body = self.body
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
        return client.request(self.method, self.path, content=content, headers=self.headers)


def v1(row: str, instances: Any = (ROW,), **more: Any) -> Case:
    return Case(row, V1, {"instances": instances, **more})


def v2(row: str, **more: Any) -> Case:
    return Case(row, V2, {"inputs": [TENSOR], **more})


def one(row: str, **changes: Any) -> Case:
    """A request with another tensor."""
    return Case(row, V2, {"inputs": [TENSOR | changes]})


def data(row: str, first: Any, datatype: str = "FP32") -> Case:
    """A request with another first number of the tensor."""
    return one(row, data=[first, *[0] * 63], datatype=datatype)


def file(row: str, kind: str, content: bytes, path: str = V1, odd: bool = False) -> Case:
    """A request with binary rows."""
    return Case(row, path, content, headers={"Content-Type": kind}, odd=odd)


def behind(row: str, header: str | None, tail: bytes = X.tobytes()) -> Case:
    """A request with the bytes of a tensor after the JSON."""
    sent = packed({"pixels": X})
    length = len(sent["content"]) - X.nbytes
    headers = {} if header is None else {HEADER: header.format(length)}
    return Case(row, V2, sent["content"][:length] + tail, headers=headers)


def strings(row: str, content: bytes) -> Case:
    """The binary form of two strings."""
    said = {"name": "text", "shape": [2, 1], "datatype": "BYTES"}
    size = {"parameters": {"binary_data_size": len(content)}}
    head = json.dumps({"inputs": [said | size]}).encode()
    return Case(row, V2, head + content, headers={HEADER: str(len(head))})


def odd(row: str, model: str, instances: Any = (), **more: Any) -> Case:
    """A request for one of the odd models."""
    body = {"instances": instances} if instances != () else {}
    return Case(row, f"/v1/models/{model}:predict", body | more, odd=True)


def control(row: str, path: str, body: Any = None) -> Case:
    return Case(row, f"/v2/repository/models/{path}", body, odd=True)


def keyed(row: str, key: str, path: str, method: str = "POST") -> Case:
    return Case(row, path, method=method, headers={"X-API-Key": key}, odd=True)


FOUR = [[1.0] * 4]
ENTROPY = ["predictive_entropy"]
SHAPE = "… has shape … and dtype …; the model expects … of shape …."
LINE = [0.0] * 63
#: Its numbers fit a body of 1 MiB, but not together with the body.
LARGE = np.ones((1, 200_000), np.float32)
#: A byte that is neither true nor false.
TWO = packed({"BOOL": np.array([[0, 2]], np.uint8).view(bool)})
CASES = [
    # the body
    Case("the body is empty", V1, b'{"instances": [['),
    Case("the body is empty", V2),
    Case("the body is not valid JSON", V1, b"instances=1"),
    Case("the body is not valid JSON", "/v2/repository/index", b"\xff"),
    Case("too many lists and objects", V1, b'{"instances":[' + b"[]," * 1_400_000 + b"[]]}"),
    Case("lists, objects and strings", V1, b'{"instances":[' + b"[]," * 450_000 + b"[]]}"),
    Case("the body is wrong", V1, [ROW]),
    Case("give exactly one of", V1, {}),
    v1("give exactly one of", inputs=[ROW]),
    v1("unknown field", pases=5),
    v2("unknown field", instances=[]),
    Case("unknown field", "/v2/repository/index", {"read": True}),
    file("unknown field", RAW, X.tobytes(), f"{V1}?pases=5"),
    v2("belongs in 'parameters'", passes=5),
    Case("which is allowed there only with rows as bytes", f"{V1}?passes=5", {"instances": [ROW]}),
    file("is in the query string; send the rows", RAW, X.tobytes(), f"{V1}?instances=5"),
    Case("inputs is a list of tensors", V1, {"inputs": [TENSOR]}),
    Case("is missing. Send", V2, {}),
    Case("is missing. Send", V2, {"inputs": [{"name": "pixels"}]}),
    v1("Input should be …", seed="100"),
    v1('it must be "…" or "…"', masks="row"),
    v2('it must be "…" or "…"', parameters={"sampling": "sobol", "passes": 10}),
    v1("Input should be …", "rows"),
    v1("Input should be …", signature_name="classify"),
    one("Input should be …", shape=[-1, 64]),
    one("Input should be …", shape=[2**64, 64]),
    v2("Input should be …", parameters={"timeout": 10**400}),
    v2("Input should be …", id=5),
    Case("is a list: it takes", V2, {"inputs": []}),
    one("is a list: it takes", shape=[1] * 33),
    v1("'training' is false, which runs", training=False, seed=1),
    v2("'training' is false, which runs", parameters={"training": False, "passes": 5}),
    file("'training' is false, which runs", RAW, X.tobytes(), f"{V1}?training=false&passes=5"),
    # the rows
    v1("is empty; send at least", []),
    v1("has … values; the model expects … there", [ROW[:63]]),
    v1("the model expects lists", ROW),
    v1("the model expects … there.", [[*LINE, "x"]]),
    v1("the model expects … there.", [[*LINE, None]]),
    v1("the model expects finite numbers", [[*LINE, float("nan")]]),
    v1("the model expects …, which cannot represent it", [[*LINE, 1e39]]),
    v1("write a whole number beyond 64 bits", [[*LINE, 10**30]]),
    data("is …, which … cannot represent", 300, "INT8"),
    data("is …, which … cannot represent", 1e39),
    data("is …, which … cannot represent", 10**400),
    odd("is …, which … cannot represent", "words", [[10**30]]),
    file(SHAPE, NPY, npy(X[:, :3])),
    one(SHAPE, datatype="BOOL", data=[True] * 64),
    file("For one row", NPY, npy(X[0])),
    one("For one row", shape=[64]),
    Case("names inputs", V1, {"inputs": {"image": [ROW]}}),
    one("names inputs", name="image"),
    odd("and the model has several inputs: give", "several", inputs=[[1.0]]),
    odd("has a different number of rows", "pair", inputs={"a": [[1.0]], "b": [[1.0], [2.0]]}),
    odd("is not an object with exactly", "pair", [{"a": [1.0]}]),
    v1("is not an object with exactly", [{"b64": "AAAA"}]),
    odd("the model cannot process these rows", "words", [[7]]),
    odd("rows; this server allows", "bare", FOUR * 11),
    # rows as bytes
    file("is not an .npy file", NPY, b"PK"),
    file("is not an .npz file", NPZ, b"PK"),
    file("is compressed", NPZ, npz(compressed=True, pixels=X)),
    file("holds …; send numbers", NPY, npy(np.array([[{}]]), allow_pickle=True)),
    file("bytes of strings", NPY, npy(np.array([["a"]]))[:-1]),
    file("has … strings in … bytes", NPY, npy(np.zeros((3, 1 << 20), "S1"))),
    file("which is not in Unicode", NPY, npy(np.array([[1 << 31]], "u4").view("U1"))),
    file("is not valid text", NPY, npy(np.array([[0xD800]], "u4").view("U1")), TEXTS, odd=True),
    file("is not UTF-8 (", NPY, npy(np.array([[b"\xff"]])), TEXTS, odd=True),
    file("raw bytes do not mark where each one ends", RAW, b"a", TEXTS, odd=True),
    file("bytes of numbers", NPY, npy(X)[:-4]),
    file("whole rows are required", RAW, X.tobytes()[:-1]),
    file("have no fixed shape", RAW, X.tobytes(), "/v1/models/free:predict", odd=True),
    file("holds one array", NPY, npy(X), "/v1/models/pair:predict", odd=True),
    # tensors
    one("the supported datatypes are", datatype="BF16"),
    data("… is …; … takes strings.", 1, "BYTES"),
    strings("is missing: the bytes", b"\1\0\0\0a"),
    strings("bytes according to its length", b"\1\0\0\0a\2\0\0\0b"),
    strings("is not UTF-8: ", b"\1\0\0\0a\1\0\0\0\xff"),
    strings("strings take", b"\0\0\0\0\0\0\0\0\0"),
    one("has … values; shape … takes ….", shape=[2, 64]),
    one("has … values; shape … takes … there", data=[ROW[:63]]),
    one("is …; shape … takes … there", data=[ROW, 5], shape=[2, 64]),
    data("takes numbers", "1"),
    data("takes whole numbers", 1.5, "INT32"),
    data("takes true or false", 1, "BOOL"),
    Case("is the byte", "/v2/models/several/infer", TWO["content"], "POST", TWO["headers"], True),
    Case("the name of an earlier input", V2, {"inputs": [TENSOR, TENSOR]}),
    one("has no data and no", data=None),
    one("has both data and", parameters={"binary_data_size": 256}),
    one(".parameters.binary_data_size is", data=None, parameters={"binary_data_size": 10}),
    behind("has no header", None, b""),
    behind("is …; it must be a number of bytes", "x"),
    behind("says that the JSON has", "10000"),
    behind("bytes follow the JSON", "{}", X.tobytes()[1:]),
    # options
    v1("a variance needs at least 2", passes=1),
    v1("it takes a whole number", passes=1.5),
    v1("is not one more field", passes="tolerance"),
    v1("has no field", passes={"tol": 1}),
    v1("passes.… is …; it must be", passes={"max": 1}),
    v1("of this model it must be one of", passes={"decide": ON_SAMPLES}),
    v2("passes is …; this server allows", parameters={"passes": 10**9}),
    v1("samples; this server allows", (ROW, ROW), passes=999_999),
    v1("seed is", seed=-1),
    Case("a model of task", CO2, {"instances": [[1.0]], "measures": ENTROPY}),
    odd("has no labels", "unlabeled", (ROW,), measures=["label"]),
    Case("noise of the model's targets", CO2, PLAIN | {"measures": ["total"]}),
    odd("and this model has no output", "bare", FOUR, measures=["deterministic"]),
    odd("names …, and the model has no calibration", "unlabeled", (ROW,), measures=["accept"]),
    odd("names …, and the calibration of the model does", "misfit", (ROW,), measures=["accept"]),
    odd("measures names …, and the model's calibration has no", "fitted", (ROW,), **SET),
    odd('Send "calibrated": true', "fitted", (ROW,), **SET, calibrated=False),
    odd("names …, and … is …, and the model's", "fitted", (ROW,), **SET, rate_scale=0.5),
    odd("true, and the model has no calibration", "unlabeled", (ROW,), calibrated=True),
    odd("true, and the calibration of the model does", "misfit", (ROW,), calibrated=True),
    odd("true, and … is …, and the model's", "fitted", (ROW,), calibrated=True, rate_scale=0.5),
    odd("is 'accept', and …", "misfit", (ROW,), passes=ACCEPTED),
    odd("is 'accept', which depends", "fitted", (ROW,), passes=ACCEPTED),
    v1("measures has an object", measures=[{}]),
    v1("measures gives", measures=["predictive_entropy:1"]),
    v1("measures gives", measures=["prediction_set:method=lac:method=aps"]),
    v1("measures gives", measures=[{"prediction_set": {"coverage": 0.5, "method": "lac"}}]),
    v1("measures[…] is", measures=[1]),
    Case("for which all samples are kept", FREE, KEPT, odd=True),
    v1("inner is …; it must be", inner=0),
    odd("and this model takes only 1", "connect", FOUR, inner=2),
    v1("rate_scale is …; it must", rate_scale=-1),
    v1("Input should be …", rate_scale=10**400),
    v1("for this model it may be", rate_scale=2.5),
    v1("which cannot be drawn", rate_scale=1e-9),
    v1("sites names", sites=["x"]),
    v2("sites is empty", parameters={"sites": ""}),
    odd("it shares a switch with", "linked", FOUR, sites=["drop", "first"]),
    odd("its file has no switch for it", "bare", FOUR, sites=["drop"]),
    odd("draws once for all rows of a pass", "connect", FOUR, masks="per_row"),
    odd("no switch for them. Request passes", "bare", FOUR, training=False),
    odd("timeout is", "bare", FOUR, timeout=100),
    v1("timeout is", timeout=0),
    # outputs
    v2("name is …; the outputs are", outputs=[{"name": "x"}]),
    v2("parameters.measures", outputs=[{"name": "mean"}], parameters={"measures": "std"}),
    v2("the name of an earlier output", outputs=[{"name": "mean"}] * 2),
    v2("which requires passes", outputs=[{"name": "mean"}], parameters={"training": False}),
    v2("'classification'", outputs=[{"name": "mean", "parameters": {"classification": 3}}]),
    # addresses
    Case("the version in the path", "/v1/models/digits/versions/latest:predict", {}),
    Case("the path has a control character", f"{V1}%0A", {}),
    file("No axis may be empty", NPY, npy(X[:, :0]), "/v1/models/free:predict", odd=True),
    file("rows and its answer take", NPY, npy(LARGE), "/v1/models/free:predict", odd=True),
    Case("the version in the path", "/v2/models/digits/versions/-1", method="GET"),
    Case("there is no model", "/v2/models/nope", method="GET"),
    Case("there is no model", "/v1/models/nope", method="GET"),
    Case("has no version", "/v1/models/digits/versions/9/metadata", method="GET"),
    Case("unknown path", "/v2/models/digits/stats", method="GET"),
    Case("unknown path", "/v1/models/digits/labels/stable:predict"),
    Case("unknown path", "/v1/models/digits:classify", {"examples": []}),
    Case("this path accepts only", V1, method="GET"),
    Case("Content-Type", V1, b"4,0", headers={"Content-Type": "text/csv"}),
    Case("Content-Type", V2, b"", headers={"Content-Type": "application/x-npy"}),
    Case("this path accepts only", V2, method="GET"),
    Case("this path accepts only", "/docs", method="DELETE"),
    Case("the body is too large", V1, b" " * 1_100_000, odd=True),
    Case("Content-Encoding", V2, b"x", headers={"Content-Encoding": "gzip"}),
    # repository and keys
    control("is not supported: a model is loaded", "co2/load", {"parameters": {"config": "{}"}}),
    control("is not up to date", "broken/load"),
    control("there is no model", "nope/unload"),
    Case("MCDROPOUT_REPOSITORY_CONTROL", "/v2/repository/models/co2/load"),
    keyed("requires a valid API key", "wrong", "/v1/models", "GET"),
    keyed("has no right to", KEYS["predict"], "/v2/repository/models/co2/load"),
    keyed("has no right to", KEYS["control"], V1),
    # answers that fail
    Case("has NaN or infinity", CO2, {"instances": [[1.0], [3e38]]}),
    odd("internal error", "frail", [[1e9, 1e9]]),
    odd("is not ready (failed)", "broken", [[1.0]]),
    Case("no version that can answer", "/health/ready", method="GET", odd=True),
    odd("one pass of one row of shape", "pairs", [[[0.0]] * 12_000]),
    odd("even without other requests, and", "digits", **LONG, timeout=0.2),
    odd("the answer was not ready within", "free", **unforeseen(20_000), timeout=0.2),
]


HALF = "float half = {0.5}, bool on = {1}"
#: Name to nodes, constants, inputs and outputs of models that fail, each in another way.
ODD = {
    "bare": (
        "[own] u = RandomUniformLike(x) k = Less(u, half) c = Cast <to = 1> (k) a = Mul(x, c) "
        "[drop] y = Dropout(a, half, on)",
        HALF,
        "float[batch, 4] x",
        "float[batch, 4] y",
    ),
    "connect": (
        "[drop] w = Dropout(weights, half, on) y = Mul(x, w)",
        HALF + ", float[4] weights = {1, 2, 3, 4}",
        "float[batch, 4] x",
        "float[batch, 4] y",
    ),
    "frail": (  # a shape depends on the largest value
        "q = Mul(x, tiny) m = ReduceMax <keepdims = 0> (q) n = Cast <to = 7> (m) "
        "k = Unsqueeze(n, zero) c = Add(k, one) w = Concat <axis = 0> (one, c) e = Expand(x, w) "
        "[drop] y = Dropout(e, half, on)",
        HALF + ", float tiny = {1e-6}, int64[1] zero = {0}, int64[1] one = {1}",
        "float[batch, 2] x",
        "float[batch, 2] y",
    ),
    "free": (
        "[drop] y = Dropout(x, half, on)",
        HALF,
        "float[batch, steps] x",
        "float[batch, steps] y",
    ),
    "linked": (
        "[first] u = RandomUniformLike(x) k = Less(u, half) c = Cast <to = 1> (k) a = Mul(x, c) "
        "[second] v = RandomUniformLike(x) l = Less(v, half) d = Cast <to = 1> (l) b = Mul(a, d) "
        "e = Where(training, b, x) [drop] y = Dropout(e, half, training)",
        HALF,
        "float[batch, 4] x, bool training",
        "float[batch, 4] y",
    ),
    "pair": (
        "s = Add(a, b) [drop] y = Dropout(s, half, on)",
        HALF,
        "float[batch, 1] a, float[batch, 1] b",
        "float[batch, 1] y",
    ),
    "pairs": (  # memory grows with the square of the steps
        "k = Dropout(x, half, on) t = Transpose <perm = [0, 2, 1]> (k) p = MatMul(k, t) "
        "y = ReduceMax <keepdims = 0> (p, axes)",
        HALF + ", int64[2] axes = {1, 2}",
        "float[batch, steps, 1] x",
        "float[batch] y",
    ),
    "words": (
        "e = Gather(table, x) k = Dropout(e, half, on) y = Squeeze(k, one)",
        HALF + ", float[3, 2] table = {1, 2, 3, 4, 5, 6}, int64[1] one = {1}",
        "int64[batch, 1] x",
        "float[batch, 2] y",
    ),
}


def save_odd(store: Path) -> None:
    for name, (body, constants, inputs, outputs) in ODD.items():
        path = store / name / "1" / "model.onnx"
        path.parent.mkdir(parents=True)
        save(body, path, constants, inputs, outputs)
    save_all_types(store / "several" / "1" / "model.onnx")
    save_text_model(store / "texts" / "1" / "model.onnx")
    save_said(store / "unlabeled" / "1" / "model.onnx", labels=None)
    save_calibrated(store, as_name="fitted", **FITTED)
    save_calibrated(store, as_name="misfit", noise_precision=1.0)
    (store / "broken" / "1").mkdir(parents=True)
    (store / "broken" / "1" / "model.onnx").write_bytes(b"no model")
    for name in ("co2", "digits"):
        shutil.copytree(STORE / name, store / name)
    for name in ("removed", "spare"):
        shutil.copytree(STORE / "co2", store / name)


@dataclass(frozen=True)
class Odd:
    """A server with odd models and low limits, and a client with a key for all rights."""

    store: Path
    server: LocalServer
    client: httpx.Client


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Odd]:
    store = tmp_path_factory.mktemp("odd")
    save_odd(store)
    env = os.environ | {
        "MCDROPOUT_API_KEYS": " ".join(f"{right}:{key}" for right, key in KEYS.items()),
        "MCDROPOUT_CALIBRATION_MISFIT": "ignore",
        "MCDROPOUT_CORS_ORIGINS": "https://a.example",
        "MCDROPOUT_LOAD_TIMEOUT": "5",
        "MCDROPOUT_MAX_BODY_MB": "1",
        "MCDROPOUT_MAX_PENDING_MB": "1",
        "MCDROPOUT_MAX_QUEUE": "1",
        "MCDROPOUT_MAX_ROWS": "10",
        "MCDROPOUT_READ_TIMEOUT": "2",
        "MCDROPOUT_REPOSITORY_CONTROL": "true",
        "MCDROPOUT_TIMEOUT": "2",
    }
    headers = {"X-API-Key": KEYS["all"]}
    with (
        local_server(store, env) as server,
        httpx.Client(base_url=server.url, headers=headers, timeout=60) as client,
    ):
        yield Odd(store, server, client)


def row_with(part: str) -> Row:
    """The only row that contains this part, or equals this text."""
    hits = [row for row in rows() if row.text == part]
    (row,) = hits or [row for row in rows() if part in row.text]
    return row


def require(part: str, response: httpx.Response) -> httpx.Response:
    """Check that the answer is in the row with this part."""
    assert list(response.json()) == ["error"]
    assert row_of(response.status_code, response.json()["error"]) == row_with(part)
    return response


def require_raw(part: str, answer: bytes) -> None:
    """The same for a raw answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert row_of(int(head.split()[1]), json.loads(body)["error"]) == row_with(part)


#: Rows proved by the tests below, which need more than one request.
PROVED: list[str] = []

T = TypeVar("T")
Test = TypeVar("Test", bound=Callable[..., None])


def proves(*parts: str) -> Callable[[Test], Test]:
    """Mark a test that requires these rows."""
    PROVED.extend(parts)
    return lambda test: test


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.row)
def test_request_is_refused_as_in_the_table(client: httpx.Client, narrow: Odd, case: Case) -> None:
    require(case.row, case.ask(narrow.client if case.odd else client))


@proves("requests are in flight, the maximum")
def test_full_queue(narrow: Odd) -> None:
    until(lambda: in_flight(narrow.client) == 0)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(narrow.client.post, FREE, json=unforeseen(20_001) | {"timeout": 1})
        until(lambda: in_flight(narrow.client) == 1)
        refused = narrow.client.post(V1, json={"instances": [ROW]})
        require("requests are in flight, the maximum", refused)
        assert int(refused.headers["Retry-After"]) >= 1


@proves("is still being loaded", "s and continues")
def test_endless_load(narrow: Odd) -> None:
    endless(narrow.store / "endless" / "1" / "model.onnx")
    url = "/v2/repository/models/endless/load"
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(narrow.client.post, url)
        until(lambda: narrow.client.get("/v1/models/endless").status_code == 200)
        second = narrow.client.post(url)
        require("s and continues", first.result())
        require("is still being loaded", second)
        assert second.headers["Retry-After"] == "10"
    until(lambda: narrow.client.get("/v1/models/endless").json()["state"] == "failed")


@proves("because other requests are ahead of it")
def test_request_that_would_be_late(server: LocalServer, client: httpx.Client) -> None:
    long, late = json.dumps(LONG).encode(), LONG | {"passes": 40_000, "timeout": 2}
    with begun(server, V1, len(long)) as one, begun(server, V1, len(long)) as two:
        one.sendall(long)
        two.sendall(long)
        until(lambda: in_flight(client) == 2)
        refused = client.post(V1, json=late)
        require("because other requests are ahead of it", refused)
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
    until(lambda: in_flight(client) == 0)


@proves("the in-flight requests hold", "the request did not arrive")
def test_slow_bodies(narrow: Odd) -> None:
    with begun(narrow.server, V1, 1_000_000) as slow:
        slow.sendall(b" " * 900_000)
        time.sleep(0.3)
        refused = narrow.client.post(V1, content=b" " * 300_000)
        require("the in-flight requests hold", refused)
        assert refused.headers["Retry-After"] == "1"
        require_raw("the request did not arrive", read_all(slow))


@proves("this is not HTTP")
def test_noise(narrow: Odd) -> None:
    with connected(narrow.server) as noise:
        noise.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        require_raw("this is not HTTP", read_all(noise))


@proves("Disallowed CORS")
def test_page_of_another_origin(narrow: Odd) -> None:
    headers = {"Origin": "https://b.example", "Access-Control-Request-Method": "POST"}
    answer = narrow.client.options(V1, headers=headers)
    assert row_of(answer.status_code, answer.text) == row_with("Disallowed CORS")


@proves("its folder was removed", "is not ready (unloaded)")
def test_models_that_no_longer_serve(narrow: Odd) -> None:
    shutil.rmtree(narrow.store / "removed")
    refused = narrow.client.post("/v2/repository/models/removed/load")
    require("its folder was removed", refused)
    narrow.client.post("/v2/repository/models/spare/unload").raise_for_status()
    gone = narrow.client.post("/v1/models/spare:predict", json={"instances": [[1.0]]})
    assert "Retry-After" not in require("is not ready (unloaded)", gone).headers


def _left(narrow: Odd) -> int:
    return sum(" 499 " in line for line in narrow.server.lines)


@proves(*UNSEEN)
def test_disconnected_clients(narrow: Odd) -> None:
    """Nobody reads the text; the log has the status."""
    until(lambda: in_flight(narrow.client) == 0)
    time.sleep(0.5)  # access log lines are written a little later
    before = _left(narrow)
    with begun(narrow.server, V1, 900):
        pass
    long = json.dumps(unforeseen(20_002)).encode()
    with begun(narrow.server, FREE, len(long)) as leaving:
        leaving.sendall(long)
        until(lambda: in_flight(narrow.client) == 1)
    until(lambda: _left(narrow) == before + 2)
    for text, file in UNSEEN.items():
        assert text in (ROOT / file).read_text()


@proves(
    "is not ready (loading)",
    "the models are loading",
    "the server is shutting down.",
    "accepts no more requests",
    "the server shut down before",
)
def test_start_and_shutdown(tmp_path: Path) -> None:
    for name in "abc":
        shutil.copytree(STORE / "digits", tmp_path / name)
    env = os.environ | {"MCDROPOUT_GRACE": "1"}
    with (
        local_server(tmp_path, env, ready=False) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        early = client.get("/health/ready"), client.get("/v2/models/c/ready")
        until(lambda: client.get("/health/ready").status_code == 200)
        url, content = "/v1/models/c:predict", json.dumps(LONG).encode()
        with ThreadPoolExecutor(1) as pool, begun(server, url, len(content)) as slow:
            long = pool.submit(httpx.post, server.url + url, content=content, timeout=60)
            until(lambda: in_flight(client) == 1)
            server.process.send_signal(signal.SIGTERM)
            stopping = until(lambda: is_error(client.get("/health/ready")))
            stopped = long.result()
            slow.sendall(content)
            require_raw("accepts no more requests", read_all(slow))
    for part, answer in {
        "the models are loading": early[0],
        "is not ready (loading)": early[1],
        "the server is shutting down.": stopping,
        "the server shut down before": stopped,
    }.items():
        assert require(part, answer).headers["Retry-After"] == "1"


def is_error(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.is_error else None


def until(found: Callable[[], T | None]) -> T:
    """Wait until a function returns something true; returns it."""
    deadline = time.monotonic() + 20
    while not (something := found()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return something


def connected(server: LocalServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=20)


def begun(server: LocalServer, path: str, length: int) -> socket.socket:
    """A connection on which a request without its body was sent."""
    connection = connected(server)
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"X-API-Key: {KEYS['all']}"]
    connection.sendall("\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode())
    return connection


def test_every_row_is_proved() -> None:
    proved = {row_with(part) for part in [*(case.row for case in CASES), *PROVED]}
    assert not set(rows()) - proved
    assert len({(row.status, row.text) for row in rows()}) == len(rows()) > 90
