"""Each row of docs/errors.md is what a real server answers, and it answers with no other."""

import json
import os
import re
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from scripts.local_server import LocalServer, local_server
from tests.conftest import ROOT, STORE
from tests.error_table import Row, row_of, rows
from tests.service.api.protocol import HEADER, packed, save_all_types, tensor
from tests.service.api.test_arrays import npy, npz
from tests.service.reference import save

KEYS = {right: f"{right}-0123456789abcdef" for right in ("predict", "control", "all")}
#: Rows that no answer can show, and why.
UNSEEN = {
    "the client left before it had sent its request.": "the client is not there to read it",
    "the client is gone; its passes were stopped.": "the client is not there to read it",
}

V1, V2 = "/v1/models/digits:predict", "/v2/models/digits/infer"
ROW = [4.0] * 64
X = np.full((1, 64), 4, np.float32)
LONG = {"instances": [ROW] * 4, "passes": 200_000}
NPY, NPZ, RAW = "application/x-npy", "application/x-npz", "application/octet-stream"
TENSOR = tensor("pixels", X)


@dataclass(frozen=True)
class Case:
    """A request, and a part of the row that its answer is in.

    Attributes:
        row: of which there is only one.
        path: where it goes.
        body: JSON, or bytes as they are.
        method, headers: of the request.
        odd: whether it goes to the server with odd models and narrow limits.
    """

    row: str
    path: str
    body: Any = None
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
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
    """The tensor is another."""
    return Case(row, V2, {"inputs": [TENSOR | changes]})


def data(row: str, first: Any, datatype: str = "FP32") -> Case:
    """The tensor's first number is another."""
    return one(row, data=[first, *[0] * 63], datatype=datatype)


def file(row: str, kind: str, content: bytes, path: str = V1, odd: bool = False) -> Case:
    """Rows in bytes."""
    return Case(row, path, content, headers={"Content-Type": kind}, odd=odd)


def behind(row: str, header: str | None, tail: bytes = X.tobytes()) -> Case:
    """A tensor's bytes behind the JSON."""
    sent = packed({"pixels": X})
    length = len(sent["content"]) - X.nbytes
    headers = {} if header is None else {HEADER: header.format(length)}
    return Case(row, V2, sent["content"][:length] + tail, headers=headers)


def odd(row: str, model: str, instances: Any = (), **more: Any) -> Case:
    """Asked of one of the odd models."""
    body = {"instances": instances} if instances != () else {}
    return Case(row, f"/v1/models/{model}:predict", body | more, odd=True)


def control(row: str, path: str, body: Any = None) -> Case:
    return Case(row, f"/v2/repository/models/{path}", body, odd=True)


def keyed(row: str, key: str, path: str, method: str = "POST") -> Case:
    return Case(row, path, method=method, headers={"X-API-Key": key}, odd=True)


FOUR = [[1.0] * 4]
LINE = [*[0] * 63]
CASES = [
    # the body
    Case("the body is empty", V1, b'{"instances": [['),
    Case("the body is empty", V2),
    Case("the body is not JSON", V1, b"instances=1"),
    Case("the body is not JSON", "/v2/repository/index", b"\xff"),
    Case("the body is wrong", V1, [ROW]),
    Case("give exactly one of", V1, {}),
    v1("give exactly one of", inputs=[ROW]),
    v1("there is no field", pases=5),
    v2("there is no field", instances=[]),
    Case("there is no field", "/v2/repository/index", {"read": True}),
    file("there is no field", RAW, X.tobytes(), f"{V1}?pases=5"),
    v2("belongs into 'parameters'", passes=5),
    file("is in the address", RAW, X.tobytes(), f"{V1}?instances=5"),
    Case("inputs is a list of tensors", V1, {"inputs": [TENSOR]}),
    Case("is missing. Send", V2, {}),
    Case("is missing. Send", V2, {"inputs": [{"name": "pixels"}]}),
    v1("Input should be …", passes="100"),
    v1("Input should be …", masks="row"),
    v1("Input should be …", "rows"),
    v1("Input should be …", signature_name="classify"),
    v1("Input should be …", rate_scale=10**400),
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
    v1("has … values; the model takes … there", [ROW[:63]]),
    v1("the model takes lists", ROW),
    v1("the model takes … there.", [[*LINE, "x"]]),
    v1("the model takes … there.", [[*LINE, None]]),
    v1("the model takes finite numbers", [[*LINE, float("nan")]]),
    v1("the model takes …, which cannot hold it", [[*LINE, 1e39]]),
    v1("write a whole number beyond 64 bits", [[*LINE, 10**30]]),
    data("is …, which … cannot hold", 300, "INT8"),
    data("is …, which … cannot hold", 1e39),
    data("is …, which … cannot hold", 10**400),
    odd("is …, which … cannot hold", "words", [[10**30]]),
    file("the model takes … of shape ….", NPY, npy(X[:, :3])),
    one("the model takes … of shape ….", datatype="BOOL", data=[True] * 64),
    file("For one row", NPY, npy(X[0])),
    one("For one row", shape=[64]),
    Case("names inputs", V1, {"inputs": {"image": [ROW]}}),
    one("names inputs", name="image"),
    odd("and the model has several inputs: give", "several", inputs=[[1.0]]),
    odd("has a different number of rows", "pair", inputs={"a": [[1.0]], "b": [[1.0], [2.0]]}),
    odd("is not an object with exactly", "pair", [{"a": [1.0]}]),
    v1("is not an object with exactly", [{"b64": "AAAA"}]),
    odd("the model cannot take these rows", "words", [[7]]),
    odd("rows; this server allows", "bare", FOUR * 11),
    # rows as bytes
    file("is not an .npy file", NPY, b"PK"),
    file("is not an .npz file", NPZ, b"PK"),
    file("is compressed", NPZ, npz(compressed=True, pixels=X)),
    file("holds …; send numbers", NPY, npy(np.array([[{}]]), allow_pickle=True)),
    file("bytes of numbers", NPY, npy(X)[:-4]),
    file("whole rows are needed", RAW, X.tobytes()[:-1]),
    file("have no fixed shape", RAW, X.tobytes(), "/v1/models/free:predict", odd=True),
    file("holds one array", NPY, npy(X), "/v1/models/pair:predict", odd=True),
    # tensors
    one("models here take numbers", datatype="BYTES"),
    one("has … values; shape … takes ….", shape=[2, 64]),
    one("has … values; shape … takes … there", data=[ROW[:63]]),
    one("is …; shape … takes … there", data=[ROW, 5], shape=[2, 64]),
    data("takes numbers", "1"),
    data("takes whole numbers", 1.5, "INT32"),
    data("takes true or false", 1, "BOOL"),
    Case(
        "is the byte",
        "/v2/models/several/infer",
        odd=True,
        **{
            {"content": "body"}.get(key, key): value
            for key, value in packed({"BOOL": np.array([[0, 2]], np.uint8).view(bool)}).items()
        },
    ),
    Case("as of another input", V2, {"inputs": [TENSOR, TENSOR]}),
    one("has no data and no", data=None),
    one("has both data and", parameters={"binary_data_size": 256}),
    one(".parameters.binary_data_size is", data=None, parameters={"binary_data_size": 10}),
    behind("has no header", None, b""),
    behind("is …; it takes a number of bytes", "x"),
    behind("says that the JSON has", "10000"),
    behind("bytes follow the JSON", "{}", X.tobytes()[1:]),
    # options
    v1("a variance needs at least 2", passes=1),
    v2("passes is …; this server allows", parameters={"passes": 10**9}),
    v1("samples; this server allows", (ROW, ROW), passes=999_999),
    v1("seed is", seed=-1),
    Case("measures names", "/v1/models/co2:predict", {"instances": [[1.0]], "measures": ["x"]}),
    v1("rate_scale is …; it must", rate_scale=-1),
    v1("rate_scale is …, which takes", rate_scale=2.5),
    v1("sites names", sites=["x"]),
    v2("sites is empty", parameters={"sites": ""}),
    odd("it goes with", "linked", FOUR, sites=["drop", "first"]),
    odd("its file has no switch for it", "bare", FOUR, sites=["drop"]),
    odd("no output without its random numbers", "bare", FOUR, training=False),
    odd("timeout is", "bare", FOUR, timeout=100),
    v1("timeout is", timeout=0),
    # outputs
    v2("name is …; there are", outputs=[{"name": "x"}]),
    v2("as of another output", outputs=[{"name": "mean"}] * 2),
    v2("which takes passes", outputs=[{"name": "mean"}], parameters={"training": False}),
    v2("'classification'", outputs=[{"name": "mean", "parameters": {"classification": 3}}]),
    # addresses
    Case("the version in the path", "/v1/models/digits/versions/latest:predict", {}),
    Case("the version in the path", "/v2/models/digits/versions/-1", method="GET"),
    Case("there is no model", "/v2/models/nope", method="GET"),
    Case("there is no model", V1, method="GET"),
    Case("has no version", "/v1/models/digits/versions/9/metadata", method="GET"),
    Case("there is no such page", "/v2/models/digits/stats", method="GET"),
    Case("there is no such page", "/v1/models/digits/labels/stable:predict"),
    Case("this page takes", "/v1/models/digits:classify", {"examples": []}),
    Case("this page takes", V2, method="GET"),
    Case("this page takes", "/docs", method="DELETE"),
    Case("the body is too large", V1, b" " * 1_100_000, odd=True),
    Case("Content-Encoding", V2, b"x", headers={"Content-Encoding": "gzip"}),
    # repository and keys
    control("is not supported: a model is loaded", "co2/load", {"parameters": {"config": "{}"}}),
    control("is not up to date", "broken/load"),
    control("there is no model", "nope/unload"),
    control("this page takes", "co2/load", {}) if False else Case("there is no model", V1[:-8] + "x:predict", {"instances": [ROW]}),
    Case("MCDROPOUT_REPOSITORY_CONTROL", "/v2/repository/models/co2/load"),
    keyed("wants an API key", "wrong", "/v1/models", "GET"),
    keyed("has no right to", KEYS["predict"], "/v2/repository/models/co2/load"),
    keyed("has no right to", KEYS["control"], V1),
    # answers that fail
    Case("with NaN or infinity", "/v1/models/co2:predict", {"instances": [[1.0], [3e38]]}),
    odd("internal error", "frail", [[1e9, 1e9]]),
    odd("is failed", "broken", [[1.0]]),
    Case("no version that can answer", "/health/ready", method="GET", odd=True),
    odd("the answer was not there within", "digits", LONG["instances"], passes=200_000),
]
