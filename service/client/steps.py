"""The steps of a call: requests and waits.

A flow is a generator of steps. Its driver performs each step and sends in the outcome, so that
the synchronous and the asynchronous client share the same flows.
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
    """A whole HTTP response; the names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True)
class Send:
    """Step: send a request.

    The outcome is a Reply, an error, or None if the deadline has passed.

    Attributes:
        request: to be sent.
        seconds: maximum time in total.
    """

    request: Request
    seconds: float


@dataclass(frozen=True)
class Wait:
    """Step: wait for some seconds. It has no outcome."""

    seconds: float


Step: TypeAlias = Send | Wait
Outcome: TypeAlias = Reply | ClientError | None
Flow: TypeAlias = Generator[Step, Outcome, T]
#: Makes a request, given the remaining seconds.
Build: TypeAlias = Callable[[float], Request]
