"""Rights belong to routes: no spelling of a path bypasses them."""

import os
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection

import httpx
import pytest
from fastapi.routing import APIRoute

from scripts.local_server import LocalServer, local_server
from service.api import v2
from service.api.http import health
from service.api.tfserving import routes as native
from service.api.v2 import control
from tests.conftest import STORE

pytestmark = pytest.mark.slow

ASK, LOAD = "ask-" + "a" * 20, "load-" + "b" * 20
UNLOAD = "/v2/repository/models/co2/unload"
PREDICT = "/v1/models/co2:predict"


@pytest.fixture(scope="module")
def guarded() -> Iterator[LocalServer]:
    env = {
        "MCDROPOUT_API_KEYS": f"predict:{ASK} control:{LOAD}",
        "MCDROPOUT_REPOSITORY_CONTROL": "true",
    }
    with local_server(STORE, os.environ | env) as running:
        yield running


def spellings(path: str) -> list[str]:
    """Spellings of a path that some router treats as equal."""
    last = path.rpartition("/")[2]
    return [
        *(path + tail for tail in ("%0A", "%0D", "%0A%0A", "/", "//", "%2F", "?", ";", ";a=1")),
        *(path + tail for tail in ("%00", "%20", "%09", ".", "/.", "/../" + last, "#", "%23")),
        *(head + path for head in ("/", "/.", "http://other", "//other", "/%2e%2e", "/v2/..")),
        path.replace("/", "//"),
        path.replace("/", "%2F")[2:].join(["/", ""]),
        path.replace("o", "%6F"),
        path.upper(),
        path.replace("/v", "/V"),
        path.replace("v2", "v2%0A"),
    ]


def ask(server: LocalServer, method: str, path: str, key: str) -> int:
    """Send a request with the path as written, which httpx would normalize."""
    url = httpx.URL(server.url)
    with closing(HTTPConnection(url.host, url.port, timeout=10)) as connection:
        connection.request(method, path, b"", {"X-API-Key": key})
        return connection.getresponse().status


@pytest.mark.parametrize("method", ["POST", "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "post"])
def test_no_spelling_of_a_path_unloads_without_the_right(guarded: LocalServer, method: str) -> None:
    for path in [UNLOAD, *spellings(UNLOAD)]:
        assert ask(guarded, method, path, ASK) in (400, 403, 404, 405, 307), path
    assert ask(guarded, "GET", "/v2/models/co2/ready", ASK) == 200


def test_no_spelling_of_a_path_predicts_without_the_right(guarded: LocalServer) -> None:
    for path in [PREDICT, *spellings(PREDICT)]:
        assert ask(guarded, "POST", path, LOAD) in (400, 403, 404, 405, 307), path
        assert ask(guarded, "POST", path, "") == 401


@pytest.mark.parametrize("path", ["/health/live%0A", "/docs/..%2Fv1/models", "/docs%00"])
def test_no_spelling_of_an_open_path_opens_another(guarded: LocalServer, path: str) -> None:
    assert ask(guarded, "GET", path, "") in (401, 404)


def test_every_route_with_a_body_declares_its_right() -> None:
    routers = (native.asking, v2.asking, native.router, v2.router, control.router, health.router)
    routes = [route for router in routers for route in router.routes]
    declared = {
        route.path: len(route.dependencies)
        for route in routes
        if isinstance(route, APIRoute) and "POST" in (route.methods or ())
    }
    assert {path for path, count in declared.items() if not count} == {"/v2/repository/index"}
    assert len(declared) == 7


@pytest.mark.parametrize("version", ["1.0", "+1", "1_0", "1%0A", "%201", "-1", "1e0", "\u0661"])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/co2/versions/{}",
        "/v2/models/co2/versions/{}",
        "/v2/models/co2/versions/{}/ready",
    ],
)
def test_version_has_one_spelling(client: httpx.Client, path: str, version: str) -> None:
    answer = client.get(path.format(version))
    assert answer.status_code == 400, answer.text
