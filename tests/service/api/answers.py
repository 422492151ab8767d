"""What a request is answered with, if it is answered."""

from typing import Any

import httpx


def answer(response: httpx.Response) -> dict[str, Any]:
    """The JSON of an answer that is no error."""
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found
