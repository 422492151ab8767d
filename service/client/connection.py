"""Between steps and httpx: what both clients tell it, and hear from it."""

from typing import Any, TypedDict

import httpx

from service.client.errors import InvalidCallError
from service.client.steps import Reply, Send

#: Seconds for a connection to come about. More are of no use where a packet was lost.
_CONNECT = 5.0
#: Seconds for which a connection is kept for the next request; the server keeps it for 75.
_IDLE = 30.0


class Settings(TypedDict):
    """Those of an httpx client."""

    base_url: str
    headers: dict[str, str]
    limits: httpx.Limits


def settings(url: str, api_key: str | None, connections: int) -> Settings:
    """What an httpx client is made with.

    Raises:
        InvalidCallError: the address or the key is none.
    """
    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise InvalidCallError(f"the address {url!r} cannot be read: {error}.") from error
    # A character that no host has is percent-encoded here.
    if address.scheme not in ("http", "https") or not address.host or "%" in address.host:
        raise InvalidCallError(
            f"the address is {url!r}; it has to be like http://127.0.0.1:8000 or https://host."
        )
    headers = {"User-Agent": "mcdropout-client"}
    if api_key is not None:
        # It is a secret, so that it is not shown.
        if not (api_key.isascii() and api_key.isprintable() and api_key.strip() == api_key != ""):
            raise InvalidCallError("the API key is empty, or has characters that no key has.")
        headers["Authorization"] = f"Bearer {api_key}"
    limits = httpx.Limits(
        max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_IDLE
    )
    return {"base_url": str(address), "headers": headers, "limits": limits}


def arguments(step: Send) -> dict[str, Any]:
    """Those of httpx' `build_request`."""
    request = step.request
    return {
        "method": request.method,
        "url": request.path,
        "content": request.content,
        "headers": dict(request.headers),
        "timeout": httpx.Timeout(step.seconds, connect=min(step.seconds, _CONNECT)),
    }


def reply_of(response: httpx.Response, content: bytes) -> Reply:
    """The answer as steps know it."""
    return Reply(response.status_code, dict(response.headers), content)
