"""API keys, tested on a real server that requires them."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scripts.local_server import local_server
from service.api.http.keys import parse_keys
from service.errors import SetupError
from tests.conftest import STORE

ASK, RULE, BOTH = "predict-key-0123456789", "control-key-0123456789", "all-key-0123456789abc"
BODY = {"instances": [[1985.0]], "passes": 10}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server with a key in a variable, and others in a file."""
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(f"# rulers\ncontrol:{RULE}\nall:{BOTH}\n")
    env = os.environ | {
        "MCDROPOUT_API_KEYS": f"predict:{ASK}",
        "MCDROPOUT_API_KEYS_FILE": str(file),
        "MCDROPOUT_REPOSITORY_CONTROL": "true",
    }
    with (
        local_server(STORE, env) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        yield client
        assert not any(key in line for key in (ASK, RULE, BOTH) for line in server.lines)


def status(client: httpx.Client, key: str, method: str, path: str, **kwargs: object) -> int:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    response = client.request(method, path, headers=headers, **kwargs)  # type: ignore[arg-type]
    if response.status_code >= 400:
        assert list(response.json()) == ["error"]
    return response.status_code


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path", "body", "statuses"),
    [
        # without a key, a wrong one, predict, control, all
        ("GET", "/health/live", None, [200] * 5),
        ("GET", "/v2/health/ready", None, [200] * 5),
        ("GET", "/openapi.json", None, [200] * 5),
        ("GET", "/metrics", None, [401, 401, 200, 200, 200]),
        ("GET", "/v1/models", None, [401, 401, 200, 200, 200]),
        ("POST", "/v1/models/co2:predict", BODY, [401, 401, 200, 403, 200]),
        ("POST", "/v2/repository/index", {}, [401, 401, 200, 200, 200]),
        ("POST", "/v2/repository/models/co2/load", {}, [401, 401, 403, 200, 200]),
        ("POST", "/v2/repository/models/nope/unload", {}, [401, 401, 403, 404, 404]),
        ("GET", "/nowhere", None, [401, 401, 404, 404, 404]),
    ],
)
def test_key_grants_its_rights_only(
    locked: httpx.Client, method: str, path: str, body: object, statuses: list[int]
) -> None:
    keys = ["", "wrong-key-0123456789", ASK, RULE, BOTH]
    kwargs = {} if body is None else {"json": body}
    assert [status(locked, key, method, path, **kwargs) for key in keys] == statuses


@pytest.mark.slow
def test_key_is_accepted_in_either_header(locked: httpx.Client) -> None:
    response = locked.get("/v1/models", headers={"X-API-Key": ASK})
    assert response.status_code == 200
    response = locked.get("/v1/models", headers={"Authorization": f"Basic {ASK}"})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert "'Authorization: Bearer <key>' or as 'X-API-Key: <key>'" in response.json()["error"]


def test_keys_are_stored_as_digests() -> None:
    (key,) = parse_keys(f" predict:{ASK} # the only one", "here")
    assert key.rights == {"predict"}
    assert ASK.encode() not in key.digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reader:0123456789abcdefgh", "item 1 of here is not of the form right:key, where right"),
        ("0123456789abcdefgh", "item 1 of here is not of the form right:key"),
        (f"all:{BOTH}, predict:short", "the key in item 2 of here has 5 characters; it needs at"),
    ],
)
def test_invalid_list_of_keys_is_explained(text: str, message: str) -> None:
    with pytest.raises(SetupError, match=message) as caught:
        parse_keys(text, "here")
    assert "0123456789abcdefgh" not in str(caught.value)


@pytest.mark.slow
def test_empty_file_of_keys_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("# none yet\n")
    env = os.environ | {"MCDROPOUT_API_KEYS_FILE": str(tmp_path / "keys")}
    with pytest.raises(RuntimeError, match="holds none"), local_server(STORE, env):
        pass
