"""The OpenAPI document: valid, true of keys, and with examples that the server answers."""

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import schemathesis

from scripts.local_server import LocalServer, local_server
from tests.conftest import STORE

pytestmark = pytest.mark.slow

KEY = "a-key-for-documents"
BEARER = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def keyed() -> Iterator[LocalServer]:
    """A server with a key for everything."""
    env = {"MCDROPOUT_API_KEYS": f"all:{KEY}", "MCDROPOUT_REPOSITORY_CONTROL": "true"}
    with local_server(STORE, os.environ | env) as running:
        yield running


@pytest.fixture(scope="module")
def http(keyed: LocalServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=keyed.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def document(http: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = http.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """(method, path, operation), those that unload a model last."""
    found = [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return sorted(found, key=lambda operation: operation[1].endswith("/unload"))


def requests(path: str, operation: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(path, name of the example, body) of each documented example of an operation."""
    given = {
        parameter["name"]: [example["value"] for example in parameter["examples"].values()]
        for parameter in operation.get("parameters", ())
    }
    if "version" in given:
        path = path.replace("{version}", str(given["version"][0]))
    names = {name: path.replace("{name}", quote(name)) for name in given.get("name", ())}
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    for example, found in content.get("examples", {}).items():
        yield names[example.partition("_")[0]], example, found["value"]
    if not content.get("examples"):
        for concrete in names.values() or [path]:
            yield concrete, None, None


def test_document_is_a_valid_one(document: dict[str, Any]) -> None:
    schemathesis.openapi.from_dict(document).validate()


def test_each_documented_example_is_answered(http: httpx.Client, document: dict[str, Any]) -> None:
    answered = set()
    for method, path, operation in operations(document):
        for concrete, example, body in requests(path, operation):
            response = http.request(method, concrete, json=body, headers=BEARER)
            assert response.status_code == 200, (concrete, example, response.text)
            assert response.headers["content-type"] in operation["responses"]["200"]["content"]
            answered.add((concrete, example))
    predicted = {(path, name) for path, name in answered if path.endswith((":predict", "/infer"))}
    for model in ("co2", "digits"):
        for path in (f"/v1/models/{model}:predict", f"/v2/models/{model}/versions/1/infer"):
            assert (path, model) in predicted
    assert len(answered) > 30


@pytest.mark.parametrize("scheme", ["bearer", "header"])
def test_each_scheme_of_the_document_gives_access(
    http: httpx.Client, document: dict[str, Any], scheme: str
) -> None:
    found = document["components"]["securitySchemes"][scheme]
    headers = BEARER if found["type"] == "http" else {found["name"]: KEY}
    assert http.get("/v1/models", headers=headers).status_code == 200


def test_exactly_the_documented_operations_require_a_key(
    http: httpx.Client, document: dict[str, Any]
) -> None:
    for method, path, operation in operations(document):
        concrete, _, body = next(requests(path, operation))
        refused = http.request(method, concrete, json=body).status_code == 401
        assert refused == ("security" in operation) == ("401" in operation["responses"]), path


def test_quantities_have_the_types_of_the_answers(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    found = {
        name: field["$ref"].rpartition("/")[2]
        for name, field in schemas["Predicted"]["properties"].items()
    }
    assert found["mean"] == found["variance"] == found["quantiles"] == "Numbers"
    assert (found["predicted_class"], found["label"]) == ("Integers", "Texts")
    assert schemas["Numbers"]["anyOf"][0] == {"type": "number"}


def test_server_without_keys_documents_none(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert "securitySchemes" not in document["components"]
    assert not any("security" in operation for *_, operation in operations(document))


@pytest.mark.parametrize("path", ["/v1/models/co2:predict", "/v1/models/co2/versions/1:predict"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_predictions_allow_only_post(client: httpx.Client, path: str, method: str) -> None:
    response = client.request(method, path)
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
