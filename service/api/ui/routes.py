"""Serves the files of the web page.

The page holds no data: it is open without an API key, and its scripts send the key that they ask
for with each request to /v1.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

#: What the page may load, and from where: nothing but its own files and this server's answers.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
STATIC = Path(__file__).with_name("static")

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    # Every use asks for a newer version; an unchanged file is answered 304.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class _File:
    content: bytes
    media_type: str
    tag: str


@router.api_route("/", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    """The page."""
    return _answer(request, "index.html")


@router.api_route("/ui/{name}", methods=["GET", "HEAD"])
async def part(request: Request, name: str) -> Response:
    """A script, a style sheet or the icon of the page."""
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    if name not in _names():
        raise HTTPException(404)
    found = _read(name)
    headers = {**_HEADERS, "ETag": found.tag}
    if found.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)


@cache
def _names() -> frozenset[str]:
    """The files that there are, so that no other path is ever opened."""
    return frozenset(path.name for path in STATIC.iterdir() if path.suffix in _TYPES)


@cache
def _read(name: str) -> _File:
    """Read at the first use, since the server's start does not need it."""
    content = (STATIC / name).read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return _File(content, _TYPES[Path(name).suffix], tag)
