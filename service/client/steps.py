"""The steps of a call: requests, lines of their answers, and waits.

A flow is a generator of steps. Its driver performs each step and sends in the outcome, so that
the synchronous and the asynchronous client share the same flows.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from service.client.errors import ClientError

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """One HTTP request; `path` is percent-encoded.

    If `by_line`, its answer is read line by line.
    """

    method: str
    path: str
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    by_line: bool = False


@dataclass(frozen=True)
class Reply:
    """An HTTP response, whole or one line of it; the names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True)
class Send:
    """Step: send a request.

    The outcome is a Reply, an error, or None if the deadline has passed. Of an answer that is
    read line by line, and is no error, the Reply has the first line.

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


@dataclass(frozen=True)
class Line:
    """Step: read the next line of the answer. The outcome is as that of `Send`."""

    seconds: float


@dataclass(frozen=True)
class Give(Generic[T]):
    """Step: give the caller a value. It has no outcome."""

    value: T


Step: TypeAlias = Send | Wait
Outcome: TypeAlias = Reply | ClientError | None
Flow: TypeAlias = Generator[Step, Outcome, T]
#: A flow that gives several values.
Stream: TypeAlias = Generator[Step | Line | Give[T], Outcome, None]
#: Makes a request, given the remaining seconds.
Build: TypeAlias = Callable[[float], Request]
