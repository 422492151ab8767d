"""When to retry, and when to give up."""

import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

from service.client.errors import ClientError, UnavailableError, UnreachableError
from service.client.faults import fault_of, out_of_time
from service.client.steps import Build, Flow, Line, Outcome, Reply, Send, Wait


@dataclass(frozen=True)
class Terms:
    """The terms of all requests of one call.

    Attributes:
        end: its deadline, by the policy's clock.
        seconds: its whole time.
        request_id: of its requests.
        idempotent: whether the server may run it twice.
    """

    end: float
    seconds: float
    request_id: str
    idempotent: bool = True


@dataclass(frozen=True)
class Policy:
    """Exponential backoff with full jitter, within a deadline.

    The wait before try n + 1 is uniform on [0, min(longest, base · 2ⁿ)]
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), in addition to
    the server's Retry-After, which may be the same for many clients.

    Attributes:
        retries: tries after the first.
        base, longest: seconds.
        clock, uniform: sources of time and of random numbers from 0 to 1.
    """

    retries: int = 3
    base: float = 0.1
    longest: float = 5.0
    clock: Callable[[], float] = time.monotonic
    uniform: Callable[[], float] = random.random

    def answered(self, build: Build, terms: Terms) -> Flow[Reply]:
        """Send a request until it is answered, cannot be retried, or misses its deadline.

        Raises:
            ClientError: the error of the last attempt.
        """
        number = 0
        while True:
            left = terms.end - self.clock()
            if left <= 0:
                raise _named(out_of_time(terms.seconds), terms)
            request = build(left)
            headers = {**request.headers, "X-Request-ID": terms.request_id}
            outcome = yield Send(replace(request, headers=headers), left)
            if isinstance(outcome, Reply):
                fault = fault_of(outcome)
                if fault is None:
                    return outcome
            else:
                fault = outcome or out_of_time(terms.seconds)
            wait = self._wait(number, fault)
            if not self._again(number, fault, terms) or self.clock() + wait >= terms.end:
                raise _named(fault, terms)
            yield Wait(wait)
            number += 1

    def next_line(self, terms: Terms) -> Generator[Line, Outcome, Reply]:
        """Read a further line of an answer. It is not sent again.

        Raises:
            ClientError: there is none.
        """
        left = terms.end - self.clock()
        outcome = (yield Line(left)) if left > 0 else None
        if not isinstance(outcome, Reply):
            raise _named(outcome or out_of_time(terms.seconds), terms)
        return outcome

    def _again(self, number: int, fault: ClientError, terms: Terms) -> bool:
        if number >= self.retries:
            return False
        if isinstance(fault, UnreachableError):
            return terms.idempotent or not fault.sent
        return isinstance(fault, UnavailableError) and (terms.idempotent or fault.status == 429)

    def _wait(self, number: int, fault: ClientError) -> float:
        told = fault.retry_after if isinstance(fault, UnavailableError) else None
        return (told or 0.0) + self.backoff(number)

    def backoff(self, number: int) -> float:
        """Seconds to wait after try `number`, which counts from 0."""
        return self.uniform() * min(self.longest, self.base * 2.0 ** min(number, 32))


def _named(fault: ClientError, terms: Terms) -> ClientError:
    fault.request_id = terms.request_id
    return fault
