"""Authentication by API keys with rights. Without keys in the settings there is none.

`RequireKey` authenticates. Each route declares the right that it requires with `needs`, so that
only the router interprets paths.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import Depends, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.http.errors import error_response
from service.errors import ForbiddenError, SetupError

Right = Literal["predict", "control"]

#: The rights: predictions, loading and unloading models, or both.
_RIGHTS: Mapping[str, frozenset[Right]] = {
    "predict": frozenset({"predict"}),
    "control": frozenset({"control"}),
    "all": frozenset({"predict", "control"}),
}
#: Shorter ones can be guessed.
_SHORTEST = 16
#: Paths without authentication: health checks, documentation, and the files of the web page.
_OPEN = re.compile(
    r"/|/(v2/)?health/(live|ready)|/docs|/docs/oauth2-redirect|/redoc|/openapi\.json"
    r"|/static-offline-docs/.*|/ui/.*"
)
#: Where a request's scope has the rights of its key.
_OF_KEY = "mcdropout.rights"


@dataclass(frozen=True)
class Key:
    """A key, stored as its hash."""

    digest: bytes
    rights: frozenset[Right]


def parse_keys(text: str, source: str) -> list[Key]:
    """Read `right:key` items, separated by commas or white space; # begins a comment.

    Raises:
        SetupError: an item is malformed; with `source` and the number of the item, without the key.
    """
    keys = []
    items = re.sub(r"#.*", "", text).replace(",", " ").split()
    for number, item in enumerate(items, 1):
        right, _, key = item.partition(":")
        if right not in _RIGHTS:
            raise SetupError(
                f"item {number} of {source} is not of the form right:key, where right is one of "
                f"{', '.join(_RIGHTS)}."
            )
        if len(key) < _SHORTEST:
            raise SetupError(
                f"the key in item {number} of {source} has {len(key)} characters; it needs at "
                f"least {_SHORTEST}. `openssl rand -hex 24` generates one."
            )
        if not key.isascii():
            raise SetupError(
                f"the key in item {number} of {source} has characters other than ASCII, which HTTP "
                f"headers cannot contain. `openssl rand -hex 24` generates one."
            )
        keys.append(Key(_digest(key.encode()), _RIGHTS[right]))
    return keys


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def is_open(path: str) -> bool:
    """Whether a path requires no key."""
    return _OPEN.fullmatch(path) is not None


def needs(right: Right) -> Any:
    """A route dependency: its requests require a key with this right."""

    async def check(request: Request) -> None:
        rights = request.scope.get(_OF_KEY)
        if rights is not None and right not in rights:
            raise ForbiddenError(
                f"this API key has no right to {right}; it may {', '.join(sorted(rights))}."
            )

    return Depends(check)


class RequireKey:
    """ASGI middleware that requires a valid API key."""

    def __init__(self, app: ASGIApp, keys: list[Key]) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application with the rights of the key, or answer 401."""
        if scope["type"] == "http" and not is_open(scope["path"]):
            scope[_OF_KEY] = rights = self._rights(_presented(scope))
            if rights is None:
                refused = error_response(
                    401,
                    "this server requires a valid API key: send it as 'Authorization: Bearer "
                    "<key>' or as 'X-API-Key: <key>'.",
                    {"WWW-Authenticate": "Bearer"},
                )
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _rights(self, presented: bytes) -> frozenset[Right] | None:
        """The rights of a key, or None; takes constant time."""
        digest, found = _digest(presented), None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key.rights
        return found


def _presented(scope: Scope) -> bytes:
    headers = dict(scope["headers"])
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer":
        return bytes(token.strip())
    return bytes(headers.get(b"x-api-key", b""))
