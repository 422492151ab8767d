"""What a call consists of: requests and waits, one after the other.

A flow is a generator of steps. Whoever drives it does each step and sends in what came of
it, so that the same flow serves a client that blocks and one that awaits.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from service.client.errors import ClientError

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """One HTTP request; `path` is percent-encoded."""

    method: str
    path: str
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """A whole HTTP response; the names of `headers` are in small letters."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True)
class Send:
    """Step: send a request.

    What came of it is a Reply, the error that stopped it, or None if the time ran out.

    Attributes:
        request: to be sent.
        seconds: that it may take in all.
    """

    request: Request
    seconds: float


@dataclass(frozen=True)
class Wait:
    """Step: do nothing for so many seconds. Nothing comes of it."""

    seconds: float


Step: TypeAlias = Send | Wait
Outcome: TypeAlias = Reply | ClientError | None
Flow: TypeAlias = Generator[Step, Outcome, T]
#: Makes a request that has so many seconds left.
Build: TypeAlias = Callable[[float], Request]
