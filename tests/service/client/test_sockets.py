"""Both clients against a scripted server on a real socket."""

import asyncio
import time
from typing import Any

import httpx
import numpy as np
import pytest

from service.client import (
    AsyncClient,
    Client,
    ClientError,
    DeadlineExceededError,
    InvalidCallError,
    RefusedError,
    ServerFaultError,
    UnavailableError,
    UnreachableError,
)
from tests.service.client.both import asking, on_both, waits_of
from tests.service.client.scripted import (
    GOOD,
    ROW,
    Answer,
    Deed,
    close,
    cut,
    drip,
    garbage,
    hang,
    inferred,
    refusal,
    scripted,
    signature,
)

pytestmark = pytest.mark.slow

ONES = np.ones((1, 2))


@on_both
def test_busy_server_is_retried_after_its_delay(kind: str) -> None:
    busy = refusal(429, "busy", Retry_After="2")
    with scripted(busy, busy) as server, asking(kind, server.url) as client:
        waits = waits_of(client)
        prediction = client.predict("m", ROW)
        np.testing.assert_array_equal(prediction.mean, np.ones((1, 2)))
        assert len(server.asked) == 3
        assert len({seen.headers["X-Request-ID"] for seen in server.asked}) == 1
        assert len(waits) == 2
        assert 2 <= waits[0] <= 2.1
        assert 2 <= waits[1] <= 2.2


@on_both
def test_the_waits_are_real(kind: str) -> None:
    answers = [refusal(503, "loading", Retry_After="1"), GOOD]
    with scripted(*answers) as server, asking(kind, server.url) as client:
        client.predict("m", ROW)
        assert server.times[-1] - server.times[-2] >= 1


@on_both
def test_server_that_stays_busy_is_unavailable(kind: str) -> None:
    busy = refusal(503, "the models are loading.", Retry_After="7")
    with scripted(*[busy] * 9) as server, asking(kind, server.url, retries=2) as client:
        waits_of(client)
        with pytest.raises(UnavailableError, match=r"^the models are loading\.$") as caught:
            client.models()
        assert (caught.value.status, caught.value.retry_after) == (503, 7.0)
        assert caught.value.request_id == server.asked[0].headers["X-Request-ID"]
        assert len(server.asked) == 3


@on_both
@pytest.mark.parametrize("step", [close, cut, garbage])
def test_broken_connection_is_retried(kind: str, step: Any) -> None:
    with scripted(step, step) as server, asking(kind, server.url) as client:
        waits = waits_of(client)
        client.predict("m", ROW)
        assert (len(server.asked), len(waits)) == (3, 2)
        server.script += [step] * 4
        with pytest.raises(UnreachableError, match=server.url) as caught:
            client.predict("m", ROW)
        assert caught.value.sent
        assert len(server.asked) == 7


@on_both
def test_connection_refused(kind: str) -> None:
    with scripted() as server:
        url = server.url
    with asking(kind, url) as client:
        waits = waits_of(client)
        with pytest.raises(UnreachableError, match=url) as caught:
            client.predict("m", ROW)
        assert not caught.value.sent
        assert isinstance(caught.value, ConnectionError)
        assert isinstance(caught.value.__cause__, httpx.ConnectError)
        assert len(waits) == 3
        assert not client.is_live()
        assert not client.is_ready()
        assert len(waits) == 3


@on_both
@pytest.mark.parametrize("step", [hang, drip])
def test_deadline_ends_a_call(kind: str, step: Any) -> None:
    with scripted(step) as server, asking(kind, server.url) as client:
        start = time.monotonic()
        with pytest.raises(DeadlineExceededError, match=r"not ready within 0\.3 s"):
            client.predict("m", ROW, timeout=0.3)
        assert 0.25 < time.monotonic() - start < 2
        assert len(server.asked) == 1


@on_both
def test_client_timeout_ends_a_call_and_is_not_sent(kind: str) -> None:
    with scripted(GOOD, hang) as server, asking(kind, server.url, timeout=1) as client:
        client.predict("m", ROW)
        assert "timeout" not in server.asked[0].head["parameters"]
        with pytest.raises(DeadlineExceededError):
            client.predict("m", ROW)


@on_both
def test_call_timeout_is_sent_as_remaining_time(kind: str) -> None:
    with scripted(close, GOOD) as server, asking(kind, server.url) as client:
        client.predict("m", ROW, timeout=5)
        first, second = (seen.head["parameters"]["timeout"] for seen in server.asked)
        assert 4e6 < second < first <= 5e6
        client.predict_deterministic("m", ROW, timeout=5)
        assert 4e6 < server.asked[-1].head["parameters"]["timeout"] <= 5e6


@on_both
def test_tries_stop_at_the_deadline(kind: str) -> None:
    busy = refusal(429, "busy", Retry_After="1")
    with scripted(*[busy] * 9) as server, asking(kind, server.url, retries=99) as client:
        start = time.monotonic()
        with pytest.raises(UnavailableError):
            client.predict("m", ROW, timeout=1.5)
        assert time.monotonic() - start < 1.5
        assert len(server.asked) == 2


@on_both
@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (refusal(400, "passes is 1."), RefusedError, r"^passes is 1\.$"),
        (refusal(401, "a key is needed."), RefusedError, r"^a key is needed\.$"),
        (refusal(504, "too late."), DeadlineExceededError, r"^too late\.$"),
        (refusal(500, "internal error 1"), ServerFaultError, r"^internal error 1$"),
        (Answer(502, b"<html>Bad Gateway"), ServerFaultError, "has status 502 and is not .*Bad Ga"),
        (
            Answer(404, b'{"detail": "x"}'),
            RefusedError,
            "has status 404 and is not from a mcdropout server",
        ),
        (Answer(404, b"[]"), RefusedError, "status 404"),
        (Answer(302, b"", {"Location": "http://127.0.0.1:9/"}), ServerFaultError, "status 302"),
        (Answer(200, b"<html>Sign in"), ServerFaultError, "the answer is not valid .*Sign in"),
        (Answer(200, b""), ServerFaultError, "the answer is not valid"),
        (Answer(200, b"no gzip", {"Content-Encoding": "gzip"}), ServerFaultError, "cannot be read"),
        (inferred(z=np.ones(1)), ServerFaultError, r"KeyError\('mean'\)"),
    ],
)
def test_other_failures_are_raised_at_once(
    kind: str, answer: Answer, error: type[ClientError], message: str
) -> None:
    with scripted(answer, answer) as server, asking(kind, server.url) as client:
        with pytest.raises(error, match=message):
            client.predict("m", ROW)
        assert len(server.asked) == 1


@on_both
def test_signature_is_requested_once(kind: str) -> None:
    with scripted() as server, asking(kind, server.url) as client:
        for _ in range(3):
            client.predict("m", ROW)
        client.predict("m", ROW, version=3)
        paths = [seen.path for seen in server.seen]
        assert paths == [
            *("/v1/models/m/metadata", *["/v2/models/m/infer"] * 3),
            *("/v1/models/m/versions/3/metadata", "/v2/models/m/versions/3/infer"),
        ]


@on_both
def test_signature_of_a_changed_model_is_requested_again(kind: str) -> None:
    other = signature({"x": ("DT_DOUBLE", [-1, 3])}, ["z"])
    answer = inferred(z__mean=np.ones((1, 2)), z__variance=np.ones((1, 2)))
    with (
        scripted(GOOD, refusal(400, "wrong"), answer) as server,
        asking(kind, server.url) as client,
    ):
        client.predict("m", ROW)
        server.metadata[0] = other
        with pytest.raises(InvalidCallError, match=r"expects \(rows, 3\), of float64"):
            client.predict("m", ROW)
    steps: list[Deed] = [GOOD, refusal(404, "z is unknown"), answer]
    with scripted(*steps) as server, asking(kind, server.url) as client:
        client.predict("m", ROW)
        server.metadata[0] = signature({"x": ("DT_DOUBLE", [-1, 2])}, ["z"])
        assert list(client.predict("m", ROW)) == ["z"]
        assert server.asked[-1].head["inputs"][0]["datatype"] == "FP64"


@on_both
def test_refusal_by_an_unchanged_model_is_final(kind: str) -> None:
    with scripted(GOOD, refusal(400, "wrong")) as server, asking(kind, server.url) as client:
        client.predict("m", ROW)
        with pytest.raises(RefusedError, match=r"^wrong$"):
            client.predict("m", ROW)
        assert [seen.path.rpartition("/")[2] for seen in server.seen] == [
            *("metadata", "infer", "infer", "metadata")
        ]


@on_both
def test_content_of_requests(kind: str) -> None:
    with scripted() as server, asking(kind, server.url + "/below/", api_key="secret") as client:
        server.script.append(inferred(y__mean=ONES, y__variance=ONES, y__m=ONES))
        prediction = client.predict(
            *("a b/ü", ROW, np.int64(50), np.int32(7), ["m", "m"]),
            masks="per_row",
            rate_scale=np.float32(0.5),
            sites=["s", "t"],
            version=2,
            request_id="mine-1",
        )
        (seen,) = server.asked
        assert seen.path == "/below/v2/models/a%20b%2F%C3%BC/versions/2/infer"
        assert seen.headers["Authorization"] == "Bearer secret"
        assert seen.headers["X-Request-ID"] == "mine-1"
        assert "outputs" not in seen.head
        assert seen.head["parameters"] == {
            **{"passes": 50, "seed": 7, "masks": "per_row", "rate_scale": 0.5, "sites": "s,t"},
            **{"measures": "m", "binary_data_output": True},
        }
        assert list(prediction["y"].measures) == ["m"]
        assert prediction.request_id == "mine-1"
        assert (prediction.model, prediction.version) == ("m", 3)


@on_both
def test_measures_are_of_the_outputs_that_have_them(kind: str) -> None:
    moments = {f"{output}__{m}": ONES for output in ("y", "y.z") for m in ("mean", "variance")}
    with scripted(inferred(7, **moments, y__total=ONES)) as server:
        server.metadata[0] = signature({"x": ("DT_FLOAT", [-1, 2])}, ["y", "y.z"])
        with asking(kind, server.url) as client:
            found = client.predict("m", ROW, measures=["total"])
        assert [list(found[output].measures) for output in ("y", "y.z")] == [["total"], []]


@on_both
def test_load_and_unload_are_sent_and_forget_the_signature(kind: str) -> None:
    with scripted() as server, asking(kind, server.url) as client:
        client.predict("m", ROW)
        server.script += [Answer(), Answer()]
        client.load("m")
        client.unload("m")
        client.predict("m", ROW)
        assert [(seen.method, seen.path) for seen in server.seen[2:]] == [
            ("POST", "/v2/repository/models/m/load"),
            ("POST", "/v2/repository/models/m/unload"),
            ("GET", "/v1/models/m/metadata"),
            ("POST", "/v2/models/m/infer"),
        ]
        assert server.seen[2].body == b"{}"


@on_both
def test_load_is_not_repeated_if_it_may_have_begun(kind: str) -> None:
    steps: list[Deed] = [close, refusal(503, "its proof failed."), refusal(429, "busy"), Answer()]
    with scripted(*steps) as server, asking(kind, server.url) as client:
        waits_of(client)
        with pytest.raises(UnreachableError):
            client.load("m")
        with pytest.raises(UnavailableError, match=r"its proof failed\."):
            client.load("m")
        client.load("m")
        assert len(server.asked) == 4


@on_both
def test_wait_until_ready_polls_until_ready(kind: str) -> None:
    steps: list[Deed] = [close, refusal(503, "the models are loading."), Answer(502), Answer()]
    with scripted(*steps) as server, asking(kind, server.url) as client:
        assert client.wait_until_ready(10) is None
        assert {seen.path for seen in server.asked} == {"/health/ready"}
        assert len(server.asked) == 4


@on_both
def test_wait_until_ready_ends_in_time_with_the_reason(kind: str) -> None:
    with scripted(*[refusal(503, "loading.")] * 99) as server, asking(kind, server.url) as client:
        start = time.monotonic()
        with pytest.raises(DeadlineExceededError, match=r"not ready within 0\.3 s: loading\."):
            client.wait_until_ready(0.3)
        assert 0.2 < time.monotonic() - start < 2
        server.script[:] = [Answer(404)]
        with pytest.raises(RefusedError):
            client.wait_until_ready(10)


@on_both
def test_check_that_the_end_cuts_short_does_not_hide_the_reason(kind: str) -> None:
    with scripted(refusal(503, "loading."), hang) as server, asking(kind, server.url) as client:
        with pytest.raises(DeadlineExceededError, match=r"not ready within 0\.5 s: loading\."):
            client.wait_until_ready(0.5)
        assert len(server.asked) == 2


@on_both
def test_health_is_true_or_false(kind: str) -> None:
    steps: list[Deed] = [Answer(), refusal(503, "loading."), Answer(500), close]
    with scripted(*steps) as server, asking(kind, server.url) as client:
        assert [client.is_ready() for _ in range(4)] == [True, False, False, False]
        server.script.append(Answer())
        assert client.is_live()
        assert server.asked[-1].path == "/health/live"


@on_both
def test_invalid_arguments_are_refused_before_sending(kind: str) -> None:
    with scripted() as server, asking(kind, server.url) as client:
        for options in (
            *({"timeout": 0}, {"timeout": float("nan")}, {"timeout": float("inf")}),
            *({"request_id": "a b"}, {"request_id": ""}, {"request_id": "x\r\nY: z"}),
            *({"measures": "mutual_information"}, {"sites": "drop"}, {"sites": ["a,b"]}),
            {"measures": ["std,min"]},
        ):
            with pytest.raises(InvalidCallError, match=next(iter(options)).removesuffix("s")):
                client.predict("m", ROW, **options)
        assert server.asked == []


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8000", "ftp://host", "http://", "http://[", "http://a b", "/x"]
)
def test_invalid_address_is_refused(url: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(InvalidCallError, match="URL"):
            kind(url)


@pytest.mark.parametrize("key", ["", " ", "a\nb", "schlüssel", "hunter2 "])
def test_invalid_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(InvalidCallError, match="API key") as caught:
        Client("http://host", api_key=key)
    assert key.strip() == "" or key not in str(caught.value)


def test_client_works_after_a_canceled_call() -> None:
    async def main(url: str) -> None:
        async with AsyncClient(url, connections=1) as client:
            call = asyncio.create_task(client.predict("m", ROW))
            await asyncio.sleep(0.2)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await client.predict("m", ROW)

    with scripted(hang) as server:
        asyncio.run(main(server.url))
        assert len(server.asked) == 2
