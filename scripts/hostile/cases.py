"""A malformed request: bytes for a socket, or a call for httpx."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Raw:
    """Bytes to send over a connection.

    Attributes:
        kind: the defect, for the table.
        parts: sent one after the other.
        pause: seconds between them.
        end: what the client does afterwards: "wait" for the server, "half" close, or "reset".
    """

    kind: str
    parts: tuple[bytes, ...]
    pause: float = 0.0
    end: str = "wait"


@dataclass(frozen=True)
class Call:
    """A request that is valid HTTP.

    Attributes:
        kind: the defect, for the table.
        path: as sent over the wire.
        content: the body.
        method: any token.
        headers: in addition to those of httpx.
    """

    kind: str
    path: str
    content: bytes = b""
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)


Case = Raw | Call
Maker = Callable[[random.Random], Case]
