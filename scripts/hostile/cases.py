"""A malformed request, as bytes for a socket or as a call for httpx."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Raw:
    """Bytes for a connection.

    Attributes:
        kind: what is wrong with them, for the table.
        parts: sent one after the other.
        pause: seconds between them.
        end: what the client does then: "wait" for the server, "half" close, or "reset".
    """

    kind: str
    parts: tuple[bytes, ...]
    pause: float = 0.0
    end: str = "wait"


@dataclass(frozen=True)
class Call:
    """A request that is right as HTTP.

    Attributes:
        kind: what is wrong with it, for the table.
        path: as it goes over the wire.
        content: the body.
        method: any token.
        headers: beside those that httpx adds.
    """

    kind: str
    path: str
    content: bytes = b""
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)


Case = Raw | Call
Maker = Callable[[random.Random], Case]
