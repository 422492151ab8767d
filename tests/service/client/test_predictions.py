"""Both clients against real servers: their predictions equal those of the library."""

import asyncio
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from models.zoo.data import digits_splits
from scripts.local_server import LocalServer, local_server
from service import Predictor, load_model
from service.client import (
    AsyncClient,
    Client,
    DeadlineExceededError,
    IndexEntry,
    InvalidCallError,
    Prediction,
    RefusedError,
    UnavailableError,
    VersionStatus,
)
from tests.service.api.protocol import rows_of_all_types, save_all_types
from tests.service.client.both import KINDS, asking, on_both
from tests.service.reference import save

pytestmark = pytest.mark.slow

X = digits_splits()[1].x[:20].astype(np.float32)
MEASURES = ["predictive_entropy", "mutual_information"]
KEY = "a-key-for-asking-0"


@pytest.fixture(scope="module", params=KINDS)
def ask(request: pytest.FixtureRequest, server: LocalServer) -> Iterator[Any]:
    """A client of the demo models' server."""
    with asking(request.param, server.url) as client:
        yield client


def require_same(found: Any, wanted: Any) -> None:
    """Check that a client's prediction equals the library's bit for bit."""
    assert (list(found), found.passes, found.seed) == (list(wanted), wanted.passes, wanted.seed)
    for name in wanted:
        for key in ("mean", "variance"):
            array = getattr(found[name], key)
            assert array.dtype == np.float64
            np.testing.assert_array_equal(array, getattr(wanted[name], key))
        assert list(found[name].measures) == list(wanted[name].measures)
        for key, values in wanted[name].measures.items():
            np.testing.assert_array_equal(found[name].measures[key], values)


def logged(server: LocalServer, number: str | None) -> str:
    """The server's log line for an inference request."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        for line in list(server.lines):
            if line.endswith(f" {number}\n") and "/infer " in line:
                return line
        time.sleep(0.01)
    raise AssertionError(f"the log has no {number}")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"passes": 30},
        {"measures": MEASURES},
        {"measures": (MEASURES[1],), "passes": 30},
        {"masks": "per_row", "passes": 30},
        {"rate_scale": 0.5, "passes": 30},
        {"sampling": "stratified", "passes": 30},
        {"rate_scale": 0, "passes": 2},
        {"sites": ["drop_maps"], "passes": 30},
        {"sites": ("drop_hidden", "drop_maps"), "passes": 30},
    ],
    ids=str,
)
def test_prediction_equals_the_library(ask: Any, digits: Predictor, options: Any) -> None:
    require_same(ask.predict("digits", X, seed=7, **options), digits.predict(X, seed=7, **options))


@pytest.mark.parametrize(
    "x", [X.tolist(), X.astype(np.float64), {"pixels": X}, tuple(X), X[:, ::-1][:, ::-1]]
)
def test_rows_are_accepted_in_any_form(ask: Any, digits: Predictor, x: Any) -> None:
    require_same(ask.predict("digits", x, 20, 7), digits.predict(X, 20, 7))


def test_prediction_reads_like_the_library(ask: Any) -> None:
    found = ask.predict("digits", X[:3], 20, measures=MEASURES)
    assert isinstance(found, Prediction)
    assert found.mean is found["probabilities"].mean
    assert found.variance.shape == (3, 10)
    assert found.measures["mutual_information"].shape == (3,)
    assert (len(found), found.model, found.version) == (1, "digits", 1)
    found.mean[0] += 1  # the array is writable


def test_returned_seed_reproduces_the_answer(ask: Any) -> None:
    first = ask.predict("digits", X)
    require_same(ask.predict("digits", X, seed=first.seed), first)
    assert ask.predict("digits", X).seed != first.seed
    assert first.passes == 100


def test_request_id_is_that_of_the_server(ask: Any, server: LocalServer) -> None:
    assert ask.predict("digits", X, request_id="mine:1").request_id == "mine:1"
    number = ask.predict("digits", X, 20).request_id
    with pytest.raises(RefusedError) as caught:
        ask.predict("digits", X, 1)
    assert " 200 " in logged(server, number)
    assert " 400 " in logged(server, caught.value.request_id)


def test_dropout_off_gives_the_deterministic_output(ask: Any, digits: Predictor) -> None:
    found = ask.predict_deterministic("digits", X, version=1)
    wanted = digits.predict_deterministic(X)
    assert list(found) == list(wanted)
    assert found["probabilities"].dtype == np.float32
    np.testing.assert_array_equal(found["probabilities"], wanted["probabilities"])


def test_models_and_their_states(ask: Any) -> None:
    ready = [VersionStatus(1, "ready", "")]
    assert ask.models() == {"co2": ready, "digits": ready}
    assert ask.index() == [IndexEntry(name, 1, "READY", "") for name in ("co2", "digits")]
    assert ask.index(ready=True) == ask.index()
    details = ask.model("digits")
    assert details["inputs"][0]["name"] == "pixels"
    assert ask.model("digits", 1) == details
    assert ask.is_live()
    assert ask.is_ready()
    ask.wait_until_ready(5)


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ({"model": "nope"}, 404, "there is no model 'nope'; this server has: co2, digits."),
        ({"version": 9}, 404, "model 'digits' has no version 9; it has [1]."),
        ({"passes": 1}, 400, "passes is 1; a variance needs at least 2."),
        ({"seed": -1}, 400, "seed is -1; it must be from 0 to"),
        (
            {"measures": ["doubt"]},
            400,
            "measures names ['doubt']; a model of task 'classification' has ['predicted_class',",
        ),
        ({"sites": []}, 400, "sites is empty"),
        ({"sites": ["x"]}, 400, "sites names ['x']; the model has ['drop_maps',"),
        ({"masks": "none"}, 400, "masks is 'none'; it must be \"shared\" or"),
        ({"rate_scale": float("nan")}, 400, "rate_scale is nan; it must be 0 or more."),
        ({"timeout": 3600}, 400, "timeout is 3600 s; it must be more than 0 and at most 60"),
        ({"x": np.full((1, 64), np.nan)}, 400, "is nan; the model expects finite numbers"),
    ],
    ids=str,
)
def test_refusal_has_the_text_of_the_server(
    ask: Any, options: dict[str, Any], status: int, message: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        ask.predict(**{"model": "digits", "x": X, **options})
    assert caught.value.status == status
    assert message in str(caught.value)


def test_numpy_options_are_accepted(ask: Any) -> None:
    one = ask.predict("digits", X, np.int32(5), np.int64(7), rate_scale=np.float32(1))
    assert one == ask.predict("digits", X, 5, 7)
    assert one != ask.predict("digits", X, 6, 7)
    assert one != ask.predict("digits", X, 5, 8)


def test_models_are_loaded_only_if_the_setting_allows_it(ask: Any) -> None:
    for call in (ask.load, ask.unload):
        with pytest.raises(RefusedError, match="MCDROPOUT_REPOSITORY_CONTROL") as caught:
            call("digits")
        assert caught.value.status == 403


def test_canceled_call_is_stopped(ask: Any, server: LocalServer) -> None:
    with pytest.raises(DeadlineExceededError) as caught:
        ask.predict("digits", X[:1], 1_000_000, timeout=0.2)
    line = logged(server, caught.value.request_id)
    assert " 499 " in line or " 504 " in line


def test_concurrent_calls_get_their_own_answers(server: LocalServer, digits: Predictor) -> None:
    async def main() -> list[Prediction]:
        async with AsyncClient(server.url, connections=20) as client:
            calls = (client.predict("digits", X[: 1 + n % 5], 20, seed=n) for n in range(50))
            return await asyncio.gather(*calls)

    for number, found in enumerate(asyncio.run(main())):
        assert found.seed == number
        np.testing.assert_allclose(
            found.mean, digits.predict(X[: 1 + number % 5], 20, number).mean, rtol=1e-6, atol=1e-9
        )


def test_threads_may_share_a_client(server: LocalServer, digits: Predictor) -> None:
    with Client(server.url, connections=4) as client, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda seed: client.predict("digits", X[:2], 20, seed), range(40)))
    for seed, prediction in enumerate(found):
        assert prediction.seed == seed
        np.testing.assert_allclose(
            prediction.mean, digits.predict(X[:2], 20, seed).mean, rtol=1e-6, atol=1e-9
        )


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, LocalServer]]:
    """A server that wants a key and takes little, and its models."""
    folder = tmp_path_factory.mktemp("models")
    save_all_types(folder / "types" / "1" / "model.onnx")
    for version in (1, 2):
        path = folder / "named" / str(version) / "model.onnx"
        path.parent.mkdir(parents=True)
        save(
            "[drop] mean = Dropout(x, half, on)",
            path,
            "float half = {0.5}, bool on = {1}",
            "float[batch, 2] x",
            "float[batch, 2] mean",
        )
    settings = {
        "API_KEYS": f"all:{KEY}",
        "MAX_BODY_MB": "1",
        "MAX_QUEUE": "1",
        "VERSION_POLICY": "all",
        "REPOSITORY_CONTROL": "true",
    }
    env = {**os.environ, **{f"MCDROPOUT_{name}": value for name, value in settings.items()}}
    with local_server(folder, env) as server:
        yield folder, server


@on_both
def test_several_inputs_and_outputs_of_every_type(kind: str, strict: Any) -> None:
    folder, server = strict
    model = load_model(folder / "types" / "1" / "model.onnx")
    rows = rows_of_all_types()
    with asking(kind, server.url, api_key=KEY) as client:
        found = client.predict("types", rows, 20, 7)
        require_same(found, model.predict(rows, 20, 7))
        assert list(found) == ["y", "z"]
        with pytest.raises(AttributeError, match=r"several outputs; name one: prediction\['y'\]"):
            _ = found.mean
        lists = {name: array.tolist() for name, array in rows.items()}
        require_same(client.predict("types", lists, 20, 7), found)
        off = client.predict_deterministic("types", rows)
        for name, wanted in model.predict_deterministic(rows).items():
            assert off[name].dtype == wanted.dtype
            np.testing.assert_array_equal(off[name], wanted)
        with pytest.raises(InvalidCallError, match="several inputs: give rows for each of"):
            client.predict("types", X)


@on_both
def test_output_may_be_named_mean(kind: str, strict: Any) -> None:
    folder, server = strict
    model = load_model(folder / "named" / "1" / "model.onnx")
    rows = [[1.0, 2.0]]
    with asking(kind, server.url, api_key=KEY) as client:
        require_same(client.predict("named", rows, 20, 7), model.predict(rows, 20, 7))
        np.testing.assert_array_equal(client.predict_deterministic("named", rows)["mean"], rows)


@on_both
def test_version_can_be_requested(kind: str, strict: Any) -> None:
    with asking(kind, strict[1].url, api_key=KEY) as client:
        assert client.predict("named", [[1, 2]], version=1).version == 1
        assert client.predict("named", [[1, 2]], version=2).version == 2
        assert client.predict("named", [[1, 2]]).version == 2


@on_both
def test_model_is_unloaded_and_loaded(kind: str, strict: Any) -> None:
    with asking(kind, strict[1].url, api_key=KEY, retries=0) as client:
        client.predict("named", [[1, 2]])
        client.unload("named")
        assert {entry.state for entry in client.index() if entry.name == "named"} == {"UNAVAILABLE"}
        with pytest.raises(UnavailableError, match="unloaded"):
            client.predict("named", [[1, 2]])
        client.load("named")
        assert client.predict("named", [[1, 2]]).version == 2
        with pytest.raises(RefusedError, match="there is no model 'nope'"):
            client.load("nope")


@on_both
def test_requests_without_the_right_key_are_refused(kind: str, strict: Any) -> None:
    for key in (None, "a-key-of-another"):
        with asking(kind, strict[1].url, api_key=key) as client:
            assert client.is_ready()
            with pytest.raises(RefusedError, match="requires a valid API key") as caught:
                client.predict("named", [[1, 2]])
            assert caught.value.status == 401


@on_both
def test_too_many_rows_are_refused(kind: str, strict: Any) -> None:
    with asking(kind, strict[1].url, api_key=KEY) as client:
        with pytest.raises(RefusedError, match="the body is too large") as caught:
            client.predict("named", np.ones((1 << 20, 2)), 2)
        assert caught.value.status == 413


def test_client_waits_for_a_full_queue(strict: Any) -> None:
    async def main(retries: int) -> list[Prediction | BaseException]:
        async with AsyncClient(strict[1].url, api_key=KEY, retries=retries) as client:
            calls = (client.predict("named", np.ones((50, 2)), 20_000) for _ in range(4))
            return await asyncio.gather(*calls, return_exceptions=True)

    refused = [found for found in asyncio.run(main(0)) if isinstance(found, UnavailableError)]
    assert refused
    assert all(error.status == 429 and (error.retry_after or 0) >= 1 for error in refused)
    assert all(isinstance(found, Prediction) for found in asyncio.run(main(20)))


def test_transport_may_be_given() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"models": []})

    with asking("blocking", "http://test", transport=httpx.MockTransport(handle)) as client:
        assert client.models() == {}
