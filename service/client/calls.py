"""Every call as a flow of steps, shared by both clients and free of I/O."""

import json
import math
import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote

from numpy.typing import NDArray

from service.client.answers import (
    IndexEntry,
    Prediction,
    VersionStatus,
    read_details,
    read_index,
    read_models,
    read_prediction,
)
from service.client.errors import (
    ClientError,
    DeadlineExceededError,
    InvalidCallError,
    RefusedError,
)
from service.client.retries import Policy, Terms
from service.client.rows import read_rows
from service.client.sampling import Question, deterministic, question
from service.client.signature import Signature, read_signature
from service.client.steps import Build, Flow, Give, Reply, Request, Stream, Wait
from service.client.streams import read_event, stream_request
from service.client.tensors import decode, encode
from service.protocol.options import REQUEST_ID, Options

Array = NDArray[Any]
Ask = Callable[[Signature], Question]

#: Maximum seconds for a health check.
_PROBE = 5.0


class Target(NamedTuple):
    """A model, and a version of it or None for the newest that can answer."""

    model: str
    version: int | None = None

    def path(self, protocol: str) -> str:
        """Its path below /v1 or /v2."""
        path = f"/{protocol}/models/{quote(self.model, safe='')}"
        return path if self.version is None else f"{path}/versions/{self.version}"


class Calls:
    """Makes the flows, and caches the signatures of models."""

    def __init__(self, policy: Policy, timeout: float) -> None:
        """`timeout` is the default of all calls."""
        self._policy = policy
        self._timeout = _checked(timeout)
        self._signatures: dict[Target, Signature] = {}

    def predict(
        self,
        target: Target,
        x: Any,
        options: Options,
        timeout: float | None,
        request_id: str | None,
    ) -> Flow[Prediction]:
        """See `Client.predict`."""
        terms = self._terms(timeout, request_id)
        build = partial(_inference, target, x, partial(question, options), timeout is not None)
        reply, signature = yield from self._infer(target, build, terms)
        return read_prediction(reply, signature.outputs, terms.request_id)

    def stream(
        self,
        target: Target,
        x: Any,
        options: Options,
        timeout: float | None,
        request_id: str | None,
    ) -> Stream[Prediction]:
        """See `Client.stream`."""
        terms = self._terms(timeout, request_id)
        build = partial(_streaming, target, x, options, timeout is not None)
        reply, signature = yield from self._infer(target, build, terms)
        while True:
            found = read_event(reply, signature.outputs, terms.request_id)
            yield Give(found)
            if found.final:
                return
            reply = yield from self._policy.next_line(terms)

    def predict_deterministic(
        self, target: Target, x: Any, timeout: float | None, request_id: str | None
    ) -> Flow[dict[str, Array]]:
        """See `Client.predict_deterministic`."""
        terms = self._terms(timeout, request_id)
        build = partial(_inference, target, x, deterministic, timeout is not None)
        reply, _ = yield from self._infer(target, build, terms)
        return decode(reply)[1]

    def models(self) -> Flow[dict[str, list[VersionStatus]]]:
        """See `Client.models`."""
        return read_models((yield from self._get("/v1/models")))

    def model(self, target: Target) -> Flow[dict[str, Any]]:
        """See `Client.model`."""
        return read_details((yield from self._get(target.path("v1"))))

    def index(self, ready: bool) -> Flow[list[IndexEntry]]:
        """See `Client.index`."""
        request = _post("/v2/repository/index", {"ready": ready})
        return read_index((yield from self._send(request, self._terms())))

    def control(self, model: str, what: str, timeout: float | None) -> Flow[None]:
        """See `Client.load` and `Client.unload`, which are the two values of `what`.

        Loading a model is expensive. So unlike a prediction it is only retried if the server
        has not begun it.
        """
        path = f"/v2/repository/models/{quote(model, safe='')}/{what}"
        for target in [known for known in self._signatures if known.model == model]:
            self._signatures.pop(target, None)
        yield from self._send(_post(path, {}), self._terms(timeout, idempotent=False))

    def is_up(self, what: str) -> Flow[bool]:
        """Whether the health check "live" or "ready" passes."""
        fault = yield from self._probe(what, min(_PROBE, self._timeout))
        return fault is None

    def wait_until_ready(self, timeout: float) -> Flow[None]:
        """See `Client.wait_until_ready`."""
        end = self._policy.clock() + _checked(timeout)
        patience = replace(self._policy, base=0.05, longest=1.0)
        fault: ClientError | None = None
        number = 0
        while (left := end - self._policy.clock()) > 0:
            found = yield from self._probe("ready", min(_PROBE, left))
            if found is None:
                return
            # A check that is cut short by the end says less than the one before it.
            if fault is None or left >= _PROBE or not isinstance(found, DeadlineExceededError):
                fault = found
            yield Wait(min(patience.backoff(number), max(0.0, end - self._policy.clock())))
            number += 1
        late = DeadlineExceededError(f"the server was not ready within {timeout:g} s: {fault}")
        raise late from fault

    def _probe(self, what: str, seconds: float) -> Flow[ClientError | None]:
        """The error of a health check; None if it passes.

        Raises:
            RefusedError: the health path is unknown, so that waiting is useless.
        """
        once = replace(self._policy, retries=0)
        request = Request("GET", f"/health/{what}")
        try:
            yield from once.answered(lambda left: request, self._terms(seconds))
        except RefusedError:
            raise
        except ClientError as error:
            return error
        return None

    def _infer(
        self, target: Target, build: Callable[[Signature], Build], terms: Terms
    ) -> Flow[tuple[Reply, Signature]]:
        """The answer to rows, and the signature used for the request."""
        known = self._signatures.get(target)
        signature = known or (yield from self._learn(target, terms))
        try:
            return (yield from self._policy.answered(build(signature), terms)), signature
        except (InvalidCallError, RefusedError) as error:
            # The model may have changed.
            if known is None or error.status not in (None, 400, 404):
                raise
            self._signatures.pop(target, None)
            signature = yield from self._learn(target, terms)
            if signature == known:
                raise
        return (yield from self._policy.answered(build(signature), terms)), signature

    def _learn(self, target: Target, terms: Terms) -> Flow[Signature]:
        request = Request("GET", f"{target.path('v1')}/metadata")
        signature = read_signature((yield from self._send(request, terms)))
        self._signatures[target] = signature
        return signature

    def _get(self, path: str) -> Flow[Reply]:
        return self._send(Request("GET", path), self._terms())

    def _send(self, request: Request, terms: Terms) -> Flow[Reply]:
        return self._policy.answered(lambda left: request, terms)

    def _terms(
        self, timeout: float | None = None, request_id: str | None = None, idempotent: bool = True
    ) -> Terms:
        seconds = self._timeout if timeout is None else _checked(timeout)
        if request_id is not None and not REQUEST_ID.fullmatch(request_id):
            raise InvalidCallError(
                f"request_id is {request_id[:40]!r}; it takes up to 128 letters, digits and ._:-"
            )
        chosen = request_id or secrets.token_hex(8)
        return Terms(self._policy.clock() + seconds, seconds, chosen, idempotent)


def _inference(target: Target, x: Any, ask: Ask, told: bool, signature: Signature) -> Build:
    """Build an inference request; if `told`, with the remaining time as its deadline."""
    arrays, question = read_rows(x, signature), ask(signature)
    path = f"{target.path('v2')}/infer"

    def build(left: float) -> Request:
        parameters = {**question["parameters"], "binary_data_output": True}
        if told:
            # Microseconds; 0 would mean the server's limit.
            parameters["timeout"] = max(1, int(left * 1e6))
        body, headers = encode(arrays, {**question, "parameters": parameters})
        return Request("POST", path, body, headers)

    return build


def _streaming(target: Target, x: Any, options: Options, told: bool, signature: Signature) -> Build:
    """The same for a request whose answer is a stream."""
    arrays, path = read_rows(x, signature), f"{target.path('v1')}:predict"
    return lambda left: stream_request(path, arrays, options, left if told else None)


def _post(path: str, body: dict[str, Any]) -> Request:
    return Request("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})


def _checked(timeout: float) -> float:
    if not (math.isfinite(timeout) and timeout > 0):
        raise InvalidCallError(f"timeout is {timeout}; it takes seconds, more than 0.")
    return float(timeout)
