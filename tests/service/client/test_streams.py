"""Streams of both clients: by a real server, and by one that does what a script says."""

import io
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from scripts.local_server import LocalServer
from service import Predictor
from service.client import (
    ClientError,
    DeadlineExceededError,
    InvalidCallError,
    Prediction,
    RefusedError,
    ServerFaultError,
    UnavailableError,
    UnreachableError,
)
from tests.service.client.both import KINDS, asking, on_both, waits_of
from tests.service.client.scripted import (
    ROW,
    Answer,
    Deed,
    Handler,
    close,
    cut,
    refusal,
    scripted,
    signature,
)

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).uniform(0, 16, (3, 64)).astype(np.float32)
TWO_OUTPUTS = signature({"a": ("DT_FLOAT", [-1, 2]), "b": ("DT_INT64", [-1])}, ["y", "z"])
TEXT = signature({"text": ("DT_STRING", [-1, 1])}, ["y"])


def line(passes: int, final: bool = False, **more: Any) -> bytes:
    rows = [{"mean": [1.0, 2.0], "variance": [0.5, 0.0]}]
    head = {"model": "m", "version": "3", "passes": passes, "seed": 7, "final": final}
    return json.dumps({**head, "predictions": rows, **more}, ensure_ascii=False).encode() + b"\n"


def failed(status: int, text: str) -> bytes:
    return json.dumps({"error": text, "status": status}).encode() + b"\n"


def answer(*lines: bytes) -> Answer:
    return Answer(200, b"".join(lines))


WHOLE = answer(line(32), line(64), line(100, final=True))


def chunked(*pieces: bytes, then: Callable[[Handler], None] = close) -> Deed:
    """Send pieces of an answer that does not end, and go on."""

    def deed(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in pieces:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            handler.wfile.flush()
        then(handler)

    return deed


@pytest.fixture(scope="module", params=KINDS)
def ask(request: pytest.FixtureRequest, server: LocalServer) -> Any:
    with asking(request.param, server.url) as client:
        yield client


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"measures": ["mutual_information", {"quantiles": [0.1, 0.9]}]},
        {"masks": "per_row", "rate_scale": 0.5, "sites": ["drop_hidden", "drop_maps"]},
    ],
    ids=str,
)
def test_a_stream_is_the_library_s(ask: Any, digits: Predictor, options: Any) -> None:
    found = list(ask.stream("digits", X, 100, 7, **options))
    wanted = list(digits.stream(X, 100, 7, **options))
    assert [one.final for one in found] == [False, False, True]
    for one, other in zip(found, wanted, strict=True):
        assert isinstance(one, Prediction)
        assert (one.model, one.version, one.passes, one.seed) == ("digits", 1, other.passes, 7)
        assert dict(one) == dict(other)
        assert one.mean.dtype == one.variance.dtype == np.float64


def test_refusals_come_before_the_first(ask: Any) -> None:
    with pytest.raises(RefusedError, match=r"passes is 1; a variance needs at least 2\.") as caught:
        next(ask.stream("digits", X, 1))
    assert caught.value.status == 400


def test_leaving_stops_the_work(ask: Any, server: LocalServer) -> None:
    stream = ask.stream("digits", X, 300_000, timeout=60, request_id="leaver")
    assert next(stream).request_id == "leaver"
    stream.close()
    end = time.monotonic() + 10
    while not any(" 499 " in text and "leaver" in text for text in list(server.lines)):
        assert time.monotonic() < end
        time.sleep(0.01)


@on_both
def test_predictions_come_as_they_are_sent(kind: str) -> None:
    with scripted(WHOLE) as server, asking(kind, server.url) as client:
        found = list(client.stream("m", ROW))
    assert [(one.passes, one.final) for one in found] == [(32, False), (64, False), (100, True)]
    np.testing.assert_array_equal(found[0].mean, [[1.0, 2.0]])
    assert (found[0].model, found[0].version, found[0].seed) == ("m", 3, 7)


@on_both
def test_nothing_is_sent_before_the_first_is_asked_for(kind: str) -> None:
    with scripted(WHOLE) as server, asking(kind, server.url) as client:
        client.stream("m", ROW)
        assert not server.seen
        with pytest.raises(InvalidCallError, match="passes is 1"):
            client.stream("m", ROW, 1.5)


@on_both
def test_what_is_sent(kind: str) -> None:
    with scripted(WHOLE) as server, asking(kind, server.url, api_key="secret") as client:
        options = {"measures": ["m", {"q": [0.1, 0.9]}], "sites": ["s", "t"], "masks": "per_row"}
        options["calibrated"] = False
        list(client.stream("a b", ROW, 50, 7, version=2, timeout=5, request_id="mine", **options))
        (seen,) = server.asked
    url = urlsplit(seen.path)
    assert url.path == "/v1/models/a%20b/versions/2:predict"
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert 4 < float(query.pop("timeout")) <= 5
    assert query == {
        **{"passes": "50", "seed": "7", "measures": "m,q:0.1:0.9"},
        **{"masks": "per_row", "sites": "s,t", "calibrated": "false"},
    }
    assert seen.headers["Accept"] == "application/x-ndjson"
    assert seen.headers["Content-Type"] == "application/x-npz"
    assert seen.headers["Authorization"] == "Bearer secret"
    assert seen.headers["X-Request-ID"] == "mine"
    (sent,) = np.load(io.BytesIO(seen.body)).items()
    assert (sent[0], sent[1].dtype, sent[1].tolist()) == ("x", np.float32, ROW)


@on_both
def test_text_is_sent_as_json(kind: str) -> None:
    with scripted(WHOLE) as server, asking(kind, server.url) as client:
        server.metadata[0] = TEXT
        list(client.stream("m", [["a\0"], [b"\xc3\xbc"]], 50))
        (seen,) = server.asked
    assert json.loads(seen.body) == {"inputs": {"text": [["a\0"], ["ü"]]}, "passes": 50}
    assert seen.headers["Content-Type"] == "application/json"


@on_both
def test_several_inputs_and_outputs(kind: str) -> None:
    row = {"mean": [1.0], "variance": [0.0], "predicted_class": 3, "label": "three"}
    both = line(32, final=True, predictions=[{"y": row, "z": row}] * 2)
    with scripted(answer(both)) as server, asking(kind, server.url) as client:
        server.metadata[0] = TWO_OUTPUTS
        (found,) = client.stream("m", {"a": [[1, 2], [3, 4]], "b": [1, 2]})
        sent = dict(np.load(io.BytesIO(server.asked[0].body)).items())
    assert {name: x.dtype.name for name, x in sent.items()} == {"a": "float32", "b": "int64"}
    assert list(found) == ["y", "z"]
    assert found["z"].mean.tolist() == [[1.0], [1.0]]
    assert found["z"].measures["predicted_class"].tolist() == [3, 3]
    assert found["z"].measures["label"].tolist() == ["three", "three"]


@on_both
def test_a_line_ends_at_a_line_feed_alone(kind: str) -> None:
    odd = "\u2028\u0085\x1c\x0b\x0c".join("ab")
    rows = [{"mean": [1.0], "variance": [0.0], "label": odd}]
    text = line(32, final=True, predictions=rows).replace(b"\\u001c", b"\\u001c")
    pieces = [text[:-5], text[-5:]]
    with scripted(chunked(*pieces)) as server, asking(kind, server.url) as client:
        (found,) = client.stream("m", ROW)
    assert found.measures["label"].tolist() == [odd]


@on_both
@pytest.mark.parametrize("step", [close, cut, chunked(), chunked(line(32)[:20])])
def test_what_breaks_before_the_first_is_tried_again(kind: str, step: Any) -> None:
    with scripted(refusal(429, "busy", Retry_After="1"), step, WHOLE) as server:
        with asking(kind, server.url) as client:
            waits = waits_of(client)
            assert [one.passes for one in client.stream("m", ROW)] == [32, 64, 100]
        assert (len(server.asked), len(waits)) == (3, 2)


@on_both
@pytest.mark.parametrize(
    "step", [chunked(line(32)), chunked(line(32), line(64)[:-1]), answer(line(32), line(64))]
)
def test_a_stream_that_is_cut_off_is_an_error(kind: str, step: Any) -> None:
    with scripted(step, WHOLE) as server, asking(kind, server.url) as client:
        stream = client.stream("m", ROW)
        assert next(stream).passes == 32
        with pytest.raises(UnreachableError, match=server.url) as caught:
            list(stream)
        assert caught.value.sent
        assert caught.value.request_id
        assert len(server.asked) == 1


@on_both
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (422, RefusedError),
        (500, ServerFaultError),
        (503, UnavailableError),
        (504, DeadlineExceededError),
    ],
)
def test_an_error_in_the_middle_is_that_of_its_status(
    kind: str, status: int, error: type[ClientError]
) -> None:
    with scripted(answer(line(32), failed(status, "why."))) as server:
        with asking(kind, server.url) as client:
            stream = client.stream("m", ROW)
            next(stream)
            with pytest.raises(error, match=r"^why\.$") as caught:
                next(stream)
        assert caught.value.status == status
        assert caught.value.request_id == server.asked[0].headers["X-Request-ID"]
        assert len(server.asked) == 1


@on_both
@pytest.mark.parametrize("body", [b"<html>Sign in\n", b'{"passes": 100}\n', b'{"final": 1}\n[]\n'])
def test_another_answer_is_the_server_s_fault(kind: str, body: bytes) -> None:
    with (
        scripted(Answer(200, body)) as server,
        asking(kind, server.url) as client,
        pytest.raises(ServerFaultError, match="the answer is not valid"),
    ):
        list(client.stream("m", ROW))


@on_both
def test_the_deadline_ends_a_stream(kind: str) -> None:
    def hang(handler: Handler) -> None:
        handler.server.ended.wait(20)

    with scripted(chunked(line(32), then=hang)) as server, asking(kind, server.url) as client:
        start = time.monotonic()
        stream = client.stream("m", ROW, timeout=0.3)
        next(stream)
        with pytest.raises(DeadlineExceededError, match=r"not ready within 0\.3 s"):
            next(stream)
        assert 0.25 < time.monotonic() - start < 2


@on_both
def test_closing_ends_the_connection(kind: str) -> None:
    gone: list[bytes] = []

    def wait(handler: Handler) -> None:
        handler.connection.settimeout(10)
        gone.append(handler.connection.recv(1))

    with scripted(chunked(line(32), then=wait)) as server, asking(kind, server.url) as client:
        stream = client.stream("m", ROW)
        next(stream)
        stream.close()
        end = time.monotonic() + 10
        while not gone:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert gone == [b""]
