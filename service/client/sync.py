"""The synchronous client."""

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Self

import httpx
from numpy.typing import NDArray

from service.client.answers import IndexEntry, Prediction, VersionStatus
from service.client.calls import Calls, Target
from service.client.connection import settings
from service.client.exchange import Exchange
from service.client.faults import failure
from service.client.retries import Policy
from service.client.sampling import read_options
from service.client.steps import Flow, Give, Line, Outcome, Send, Stream, T, Wait
from service.protocol.options import DEFAULT_SAMPLING, AskedMeasure, AskedPasses, Masks, Sampling

Array = NDArray[Any]


class Client:
    """Client of one server. Safe to use from several threads.

    Errors are a `ClientError`, see `service.client.errors`; an argument of a wrong type is
    Python's TypeError.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        timeout: float = 60.0,
        retries: int = 3,
        *,
        connections: int = 100,
        verify: ssl.SSLContext | bool = True,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Configure the client; no connection is opened yet.

        Args:
            url: of the server; it may have a path before the server's own.
            api_key: sent as a bearer token.
            timeout: default seconds for a call, including all retries.
            retries: maximum retries, if the server is overloaded or unreachable.
            connections: maximum number of connections.
            verify: for https: False disables certificate checks; or an SSL context.
            transport: replaces httpx' default transport; `connections` and `verify` are then
                ignored.

        Raises:
            InvalidCallError: an argument is malformed.
        """
        self._calls = Calls(Policy(retries), timeout)
        self._url = url
        self._http = httpx.Client(
            **settings(url, api_key, connections), verify=verify, transport=transport
        )
        self._sleep: Callable[[float], None] = time.sleep

    def predict(
        self,
        model: str,
        x: Any,
        passes: AskedPasses | None = None,
        seed: int | None = None,
        measures: Sequence[AskedMeasure] | None = None,
        *,
        masks: Masks = "shared",
        sampling: Sampling = DEFAULT_SAMPLING,
        inner: int = 1,
        rate_scale: float | None = None,
        sites: Sequence[str] | None = None,
        calibrated: bool | None = None,
        version: int | None = None,
        timeout: float | None = None,
        request_id: str | None = None,
    ) -> Prediction:
        """Mean and variance over stochastic forward passes.

        Args:
            model: its name.
            x: (B, …) array or nested lists, or {input name: rows}.
            passes: number of passes, at least 2; by default that of the model's calibration, else
                the model's own. Or a stopping rule: {"max": 2000, "tolerance": 0.01}, its text
                max=2000,tolerance=0.01, or `AdaptivePasses`; see docs/reference.md.
            seed: random seed, which makes the answer reproducible; by default a random one,
                returned in the answer.
            measures: names of further measures, or objects of a name to its arguments; see
                docs/reference.md. None: the model's own; an empty list: none.
            masks: "shared": all rows of a pass share one mask. "per_row": each row has its own.
            sampling: "independent" passes, or "stratified" ones: coupled in blocks of 20, which
                takes fewer for the same error of the mean.
            inner: masks of the last site in each pass, which share one run of everything before it.
            rate_scale: multiplies every dropout rate; by default that of the calibration, else 1.
            sites: names of the active sites, all others being off; by default
                those of the calibration, else all.
            calibrated: whether to apply the model's calibration; by default if possible.
            version: by default the newest that can answer.
            timeout: seconds including all retries, also sent as the request deadline; the
                server refuses one above its own limit.
            request_id: for the server's log; by default a random one, returned in the answer.
        """
        options = read_options(
            passes=passes,
            seed=seed,
            measures=measures,
            masks=masks,
            sampling=sampling,
            inner=inner,
            rate_scale=rate_scale,
            sites=sites,
            calibrated=calibrated,
        )
        return self._run(
            self._calls.predict(Target(model, version), x, options, timeout, request_id)
        )

    def stream(
        self,
        model: str,
        x: Any,
        passes: AskedPasses | None = None,
        seed: int | None = None,
        measures: Sequence[AskedMeasure] | None = None,
        *,
        masks: Masks = "shared",
        sampling: Sampling = DEFAULT_SAMPLING,
        inner: int = 1,
        rate_scale: float | None = None,
        sites: Sequence[str] | None = None,
        calibrated: bool | None = None,
        version: int | None = None,
        timeout: float | None = None,
        request_id: str | None = None,
    ) -> Iterator[Prediction]:
        """Running estimates while the passes run, and the answer last.

        Each is the prediction of the first 32, 64, 128 … passes, the same bit for bit as an
        answer of so many; `final` is whether it is the answer. A client that reads slowly may
        miss some of the others. To stop the work early, close the iterator, or leave its loop.
        Nothing is sent before the first is asked for, nor again after it.

        Args: see `predict`.
        """
        options = read_options(
            passes=passes,
            seed=seed,
            measures=measures,
            masks=masks,
            sampling=sampling,
            inner=inner,
            rate_scale=rate_scale,
            sites=sites,
            calibrated=calibrated,
        )
        return self._stream(
            self._calls.stream(Target(model, version), x, options, timeout, request_id)
        )

    def predict_deterministic(
        self,
        model: str,
        x: Any,
        *,
        version: int | None = None,
        timeout: float | None = None,
        request_id: str | None = None,
    ) -> dict[str, Array]:
        """The output with dropout off: output name to (B, …) array."""
        target = Target(model, version)
        return self._run(self._calls.predict_deterministic(target, x, timeout, request_id))

    def models(self) -> dict[str, list[VersionStatus]]:
        """Model name to its versions, the newest first."""
        return self._run(self._calls.models())

    def model(self, name: str, version: int | None = None) -> dict[str, Any]:
        """Inputs, outputs, sites, plan and verification results of a version, as a JSON object."""
        return self._run(self._calls.model(Target(name, version)))

    def is_live(self) -> bool:
        """Whether the server answers at all. One attempt of at most 5 s."""
        return self._run(self._calls.is_up("live"))

    def is_ready(self) -> bool:
        """Whether every model of the server can answer. One attempt of at most 5 s."""
        return self._run(self._calls.is_up("ready"))

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Return once every model can answer.

        Raises:
            DeadlineExceededError: not all models were ready within `timeout` seconds.
            RefusedError: there is another server at this URL.
        """
        self._run(self._calls.wait_until_ready(timeout))

    def load(self, name: str, *, timeout: float | None = None) -> None:
        """Load or reload a model from the server's folder."""
        self._run(self._calls.control(name, "load", timeout))

    def unload(self, name: str, *, timeout: float | None = None) -> None:
        """Unload a model; it cannot answer until it is loaded again."""
        self._run(self._calls.control(name, "unload", timeout))

    def index(self, ready: bool = False) -> list[IndexEntry]:
        """All versions of all models, or with `ready` those that can answer."""
        return self._run(self._calls.index(ready))

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, flow: Flow[T]) -> T:
        outcome: Outcome = None
        with closing(Exchange(self._http)) as exchange:
            while True:
                try:
                    # A generator must be started with None, the first outcome.
                    step = flow.send(outcome)
                except StopIteration as end:
                    found: T = end.value
                    return found
                outcome = self._do(step, exchange)

    def _stream(self, stream: Stream[T]) -> Iterator[T]:
        outcome: Outcome = None
        with closing(Exchange(self._http)) as exchange:
            while True:
                try:
                    step = stream.send(outcome)
                except StopIteration:
                    return
                if isinstance(step, Give):
                    yield step.value
                    outcome = None
                else:
                    outcome = self._do(step, exchange)

    def _do(self, step: Send | Line | Wait, exchange: Exchange) -> Outcome:
        if isinstance(step, Wait):
            self._sleep(step.seconds)
            return None
        try:
            return exchange.do(step)
        except httpx.HTTPError as error:
            return failure(error, self._url)
