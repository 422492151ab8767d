"""Conversions between steps and httpx, for both clients."""

from typing import Any, TypedDict

import httpx

from service.client.errors import InvalidCallError
from service.client.steps import Reply, Send

#: Maximum seconds to connect. Waiting longer does not help if a packet was lost.
_CONNECT = 5.0
#: Seconds for which an idle connection is kept; the server keeps it for 75.
_IDLE = 30.0


class Settings(TypedDict):
    """Arguments of an httpx client."""

    base_url: str
    headers: dict[str, str]
    limits: httpx.Limits


def settings(url: str, api_key: str | None, connections: int) -> Settings:
    """The arguments of an httpx client.

    Raises:
        InvalidCallError: the URL or the key is invalid.
    """
    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise InvalidCallError(f"the URL {url!r} is invalid: {error}.") from error
    # httpx percent-encodes characters that are invalid in a host.
    if address.scheme not in ("http", "https") or not address.host or "%" in address.host:
        raise InvalidCallError(
            f"the URL is {url!r}; it must be like http://127.0.0.1:8000 or https://host."
        )
    headers = {"User-Agent": "mcdropout-client"}
    if api_key is not None:
        # The key is a secret and therefore not shown.
        if not (api_key.isascii() and api_key.isprintable() and api_key.strip() == api_key != ""):
            raise InvalidCallError(
                "the API key is empty, or has characters that are not allowed in a key."
            )
        headers["Authorization"] = f"Bearer {api_key}"
    limits = httpx.Limits(
        max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_IDLE
    )
    return {"base_url": str(address), "headers": headers, "limits": limits}


def arguments(step: Send) -> dict[str, Any]:
    """The arguments of httpx' `build_request`."""
    request = step.request
    return {
        "method": request.method,
        "url": request.path,
        "content": request.content,
        "headers": dict(request.headers),
        "timeout": httpx.Timeout(step.seconds, connect=min(step.seconds, _CONNECT)),
    }


def reply_of(response: httpx.Response, content: bytes) -> Reply:
    """Convert a response of httpx."""
    return Reply(response.status_code, dict(response.headers), content)
