"""The files of the web page, and how they are served."""

import asyncio
import re
from collections.abc import Callable

import httpx
import pytest
from pydantic import SecretStr

from service.api.ui import routes
from service.server.composition import build
from service.server.settings import Settings

Ask = Callable[..., httpx.Response]

FILES = sorted(path.name for path in routes.STATIC.iterdir())
KEY = "a-key-for-the-page"


def asking(settings: Settings) -> Ask:
    """Requests to a server whose models are never loaded."""
    app = build(settings).app

    async def answer(path: str, method: str, headers: dict[str, str]) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.request(method, path, headers=headers)

    def ask(path: str, method: str = "GET", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return asyncio.run(answer(path, method, named))

    return ask


@pytest.fixture(scope="module")
def ask() -> Ask:
    """Of a server with keys."""
    return asking(Settings(api_keys=SecretStr(f"predict:{KEY}")))


def test_page_needs_no_key_and_allows_nothing_but_this_server(ask: Ask) -> None:
    found = ask("/")
    assert found.status_code == 200
    assert found.headers["content-type"] == "text/html; charset=utf-8"
    policy = found.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert ask("/v1/models").status_code == 401


@pytest.mark.parametrize("name", FILES)
def test_file_is_served_with_its_type_and_asked_for_again(ask: Ask, name: str) -> None:
    found = ask(f"/ui/{name}")
    assert found.content == (routes.STATIC / name).read_bytes()
    kinds = {"css": "text/css", "html": "text/html", "js": "text/javascript", "svg": "image/svg"}
    assert found.headers["content-type"].startswith(kinds[name.rpartition(".")[2]])
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["cache-control"] == "no-cache"
    again = ask(f"/ui/{name}", if_none_match=found.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


def test_head_has_the_length_and_no_body(ask: Ask) -> None:
    found = ask("/", "HEAD")
    assert (found.status_code, found.content) == (200, b"")
    assert int(found.headers["content-length"]) == len(ask("/").content)


@pytest.mark.parametrize("name", ["none.js", "..%2froutes.py", "%2e%2e/routes.py", "__init__.py"])
def test_other_paths_have_no_file(ask: Ask, name: str) -> None:
    assert ask(f"/ui/{name}", x_api_key=KEY).status_code == 404


def test_page_can_be_switched_off() -> None:
    ask = asking(Settings(ui=False))
    assert ask("/ui/app.js").status_code == 404
    found = ask("/")
    assert (found.status_code, found.headers["location"]) == (307, "/docs")


def test_start_of_a_server_reads_no_file() -> None:
    routes._read.cache_clear()
    routes._names.cache_clear()
    build(Settings())
    assert routes._read.cache_info().misses == routes._names.cache_info().misses == 0


def test_files_are_at_most_150_kilobytes() -> None:
    assert sum((routes.STATIC / name).stat().st_size for name in FILES) <= 150_000


def test_scripts_and_styles_are_in_files_alone() -> None:
    html = (routes.STATIC / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html)
    assert not re.search(r"https?://|//\w", html)


def test_every_file_is_used() -> None:
    texts = {name: (routes.STATIC / name).read_text() for name in FILES}
    linked = {"index.html", *re.findall(r'"ui/([\w.-]+)"', texts["index.html"])}
    imported = {
        found for text in texts.values() for found in re.findall(r'from "\./([\w.-]+)"', text)
    }
    assert linked | imported == set(FILES)


def test_answer_of_a_prediction_is_not_touched(client: httpx.Client) -> None:
    """The headers are those of the page alone."""
    assert "content-security-policy" not in client.get("/v1/models").headers
