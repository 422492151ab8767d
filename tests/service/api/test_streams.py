"""Streamed answers over HTTP: what they say, by a real server on a real socket."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service import Predictor, load_model
from tests.service.api.hosted import NDJSON, SSE, URL, Hosted, server_sent
from tests.service.api.test_arrays import npy, npz

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).uniform(0, 16, (3, 64)).astype(np.float32)
ASKED = {"instances": X.tolist(), "passes": 200, "seed": 7}
GRID = [32, 64, 128, 200]


def test_lines_are_the_answers_of_fewer_passes(hosted: Hosted) -> None:
    asked = {**ASKED, "measures": ["predictive_entropy", "quantiles"]}
    lines = hosted.lines(asked)
    assert [line["passes"] for line in lines] == GRID
    assert [line.pop("final") for line in lines] == [False, False, False, True]
    for line in lines:
        assert line == hosted.plain(**{**asked, "passes": line["passes"]})


def test_server_sent_events_say_the_same(hosted: Hosted) -> None:
    with hosted.stream(ASKED, accept=SSE) as response:
        events = server_sent(response.read().decode())
    assert [name for name, _ in events] == ["estimate"] * 3 + ["final"]
    assert [found for _, found in events] == hosted.lines(ASKED)


@pytest.mark.parametrize(("passes", "grid"), [(20, [20]), (32, [32]), (64, [32, 64])])
def test_the_final_event_comes_once(hosted: Hosted, passes: int, grid: list[int]) -> None:
    lines = hosted.lines({**ASKED, "passes": passes})
    assert [(line["passes"], line["final"]) for line in lines] == [
        (number, number == passes) for number in grid
    ]


def test_dropout_off_is_one_event(hosted: Hosted) -> None:
    asked = {"instances": X.tolist(), "training": False}
    (line,) = hosted.lines(asked)
    assert line.pop("final") is True
    assert line == hosted.plain(**asked)


def test_columns_and_versions_stream_too(hosted: Hosted) -> None:
    asked = {"inputs": {"pixels": X.tolist()}, "passes": 40, "seed": 7}
    path = "/v1/models/digits/versions/1:predict"
    *_, last = hosted.lines(asked, path)
    assert last.pop("final")
    assert last == hosted.plain(path, **asked)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/x-npy", npy(X)),
        ("application/x-npz", npz(pixels=X)),
        ("application/octet-stream", X.tobytes()),
    ],
)
@pytest.mark.parametrize("masks", ["shared", "per_row"])
def test_rows_as_bytes_stream_too(hosted: Hosted, kind: str, content: bytes, masks: str) -> None:
    headers, query = {"Content-Type": kind, "Accept": NDJSON}, f"passes=40&seed=7&masks={masks}"
    response = hosted.client.post(f"{URL}?{query}", content=content, headers=headers)
    *_, last = map(json.loads, response.text.splitlines())
    assert last.pop("final")
    wanted = hosted.plain(**{**ASKED, "passes": 40, "masks": masks})
    for row in wanted["predictions"]:  # of rows as bytes the sets are arrays, too
        row["prediction_set"] = [label in row["prediction_set"] for label in "0123456789"]
    assert last == wanted


def test_headers_keep_proxies_from_waiting(hosted: Hosted) -> None:
    for accept, kind in ((SSE, f"{SSE}; charset=utf-8"), (NDJSON, NDJSON)):
        with hosted.stream(ASKED, accept=accept) as response:
            response.read()
        headers = response.headers
        assert headers["content-type"] == kind
        assert headers["transfer-encoding"] == "chunked"
        assert headers["cache-control"] == "no-cache, no-transform"
        assert headers["x-accel-buffering"] == "no"
        assert headers["x-request-id"]
        assert "content-length" not in headers


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (f"application/json, {SSE}", "application/json"),
        (f"application/x-npz, {SSE}", "application/x-npz"),
        (f"application/x-npz;q=0.5, {NDJSON}", NDJSON),
    ],
)
def test_the_accepted_type_decides(hosted: Hosted, accept: str, kind: str) -> None:
    with hosted.stream(ASKED, accept=accept) as response:
        assert response.headers["content-type"] == kind
        response.read()


def test_chunks_end_with_the_stream(hosted: Hosted) -> None:
    with hosted.raw(URL, ASKED) as connection, connection.makefile("rb") as file:
        assert file.readline() == b"HTTP/1.1 200 OK\r\n"
        while file.readline() != b"\r\n":
            pass
        chunks = []
        while size := int(file.readline(), 16):
            chunks.append(file.read(size))
            assert file.read(2) == b"\r\n"
        assert file.readline() == b"\r\n"
        assert [json.loads(chunk)["passes"] for chunk in chunks] == GRID
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert file.readline() == b"HTTP/1.1 200 OK\r\n"  # the connection is kept


def test_streams_beside_other_requests_stay_the_same(hosted: Hosted, digits: Predictor) -> None:
    def ask(seed: int) -> list[dict[str, Any]]:
        asked = {"instances": X[:1].tolist(), "passes": 100, "seed": seed}
        if seed % 2:
            return hosted.lines(asked)
        return [hosted.plain(**asked)]

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, range(48)))
    for seed, lines in enumerate(answers):
        assert [line["passes"] for line in lines] == ([32, 64, 100] if seed % 2 else [100])
        for line in lines:
            wanted = digits.predict(X[:1], line["passes"], seed)
            assert line["predictions"][0]["mean"] == wanted.mean[0].tolist()
            assert line["predictions"][0]["variance"] == wanted.variance[0].tolist()


def test_a_stream_is_the_library_s(hosted: Hosted, digits_path: Path) -> None:
    found = hosted.lines(ASKED)
    wanted = list(load_model(digits_path).stream(X, 200, 7))
    for line, one in zip(found, wanted, strict=True):
        assert (line["passes"], line["final"]) == (one.passes, one.final)
        assert [row["mean"] for row in line["predictions"]] == one.mean.tolist()


def test_both_media_types_are_documented(hosted: Hosted) -> None:
    paths = hosted.client.get("/openapi.json").json()["paths"]
    for path in ("/v1/models/{name}:predict", "/v1/models/{name}/versions/{version}:predict"):
        answer = paths[path]["post"]["responses"]["200"]
        assert {"application/json", "application/x-npz", SSE, NDJSON} <= {*answer["content"]}
        assert "running estimates" in answer["description"]
