"""No request gives a 5xx, and every error is {"error": …}: bodies by our OpenAPI and others."""

import json
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from scripts.local_server import LocalServer
from tests.error_table import row_of

pytestmark = pytest.mark.slow

FAST = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
#: Statuses that are not a fault of the server: it is busy, or a deadline has passed.
ALLOWED = {429, 503, 504}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)
ROW = [4.0] * 64
V1 = {"instances": [ROW], "passes": 3, "seed": 1, "masks": "shared", "rate_scale": 1.0}
V2 = {
    "id": "a",
    "inputs": [{"name": "pixels", "shape": [1, 64], "datatype": "FP32", "data": ROW}],
    "outputs": [{"name": "mean", "parameters": {"binary_data": True}}],
    "parameters": {"passes": 3, "seed": 1},
}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_bodies_by_the_openapi_document_and_against_it(
    server: LocalServer, mode: GenerationMode
) -> None:
    """Every operation, with bodies that its schema allows or forbids."""
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    checks = [not_a_server_error, status_code_conformance, response_schema_conformance]
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) > 20
    for operation in operations:

        @settings(FAST, max_examples=25)
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            response = case.call()
            require_told(response)
            if response.status_code not in ALLOWED:
                case.validate_response(response, checks=checks)

        if mode is GenerationMode.POSITIVE or operation.method == "post":
            ask()


def require_told(response: Any) -> None:
    assert response.status_code < 500 or response.status_code in ALLOWED, response.text
    if response.status_code >= 400:
        assert list(response.json()) == ["error"]
        row_of(response.status_code, response.json()["error"])


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every value inside nested lists and objects."""
    if not isinstance(value, dict | list):
        return [here]
    inner = value.items() if isinstance(value, dict) else list(enumerate(value))[:3]
    return [here, *(place for key, item in inner for place in places(item, (*here, key)))]


@st.composite
def damaged(draw: st.DrawFn, body: Any) -> bytes:
    """A valid body with one or two values replaced, or with bytes changed."""
    changed = json.loads(json.dumps(body))
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.sampled_from([p for p in places(changed) if p] or [()]))
        if not place:
            break
        owner = changed
        for key in place[:-1]:
            owner = owner[key]
        if draw(st.booleans()) and isinstance(owner, dict):
            del owner[place[-1]]
        else:
            owner[place[-1]] = draw(JSON)
    content = bytearray(json.dumps(changed).encode())
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content)


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/models/digits:predict", V1), ("/v2/models/digits/infer", V2)],
)
@settings(FAST, max_examples=500)
@given(data=st.data())
def test_damaged_bodies_are_refused_or_answered(
    client: httpx.Client, path: str, body: Any, data: st.DataObject
) -> None:
    content = data.draw(damaged(body))
    require_told(client.post(path, content=content, headers={"Content-Type": "application/json"}))


@settings(FAST, max_examples=200)
@given(
    content=st.binary(max_size=300),
    kind=st.sampled_from(
        ["", "application/json", "application/octet-stream", "application/x-npy", "a/b;c=\u00e4"]
    ),
    length=st.none() | st.integers(-1, 400).map(str) | st.text("0123456789x-", max_size=5),
)
def test_any_bytes_are_refused_or_answered(
    client: httpx.Client, content: bytes, kind: str, length: str | None
) -> None:
    headers = {b"Content-Type": kind.encode()}
    if length is not None:
        headers[b"Inference-Header-Content-Length"] = length.encode()
    for path in ("/v1/models/digits:predict", "/v2/models/digits/infer", "/v2/repository/index"):
        require_told(client.post(path, content=content, headers=headers))
