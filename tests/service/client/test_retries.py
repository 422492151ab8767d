"""The retry policy alone: time is simulated, and nothing is sent."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.client.errors import (
    ClientError,
    DeadlineExceededError,
    RefusedError,
    ServerFaultError,
    UnavailableError,
    UnreachableError,
)
from service.client.retries import Policy, Terms
from service.client.steps import Outcome, Reply, Request, Send, Wait

OK = Reply(200, {}, b"{}")
GET = Request("GET", "/")


def busy(status: int = 429, retry_after: str | None = "2") -> Reply:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return Reply(status, headers, b'{"error": "too many"}')


def lost(sent: bool = True) -> UnreachableError:
    return UnreachableError("gone", sent)


class World:
    """Executes the steps of a flow: each request takes `seconds` and has the next of `outcomes`."""

    def __init__(self, outcomes: Sequence[Outcome], seconds: float = 0.0, **policy: Any) -> None:
        self.now = 1000.0
        self.outcomes = list(outcomes)
        self.seconds = seconds
        self.waits: list[float] = []
        self.left: list[float] = []
        given = {"uniform": lambda: 0.5, "clock": lambda: self.now}
        self.policy = Policy(**{**given, **policy})

    def run(self, timeout: float = 60.0, idempotent: bool = True) -> Reply:
        def build(left: float) -> Request:
            self.left.append(left)
            return GET

        terms = Terms(self.now + timeout, timeout, "id-1", idempotent)
        flow = self.policy.answered(build, terms)
        outcome: Outcome = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as end:
                reply: Reply = end.value
                return reply
            if isinstance(step, Wait):
                self.waits.append(step.seconds)
                self.now, outcome = self.now + step.seconds, None
            else:
                assert isinstance(step, Send)
                assert step.seconds == self.left[-1]
                self.now += min(self.seconds, step.seconds)
                outcome = self.outcomes.pop(0)


def test_answered_request_is_not_repeated() -> None:
    world = World([OK])
    assert world.run() is OK
    assert (world.waits, world.left) == ([], [60.0])


def test_wait_is_retry_after_plus_jitter() -> None:
    world = World([busy(429, "2"), busy(503, "1"), OK])
    assert world.run() is OK
    assert world.waits == [2 + 0.5 * 0.1, 1 + 0.5 * 0.2]


@pytest.mark.parametrize(
    "text", [None, "", "soon", "-1", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 40]
)
def test_waits_double_without_retry_after(text: str | None) -> None:
    world = World([busy(503, text)] * 8 + [OK], retries=8, uniform=lambda: 1.0)
    assert world.run() is OK
    assert world.waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_lost_connection_is_retried() -> None:
    world = World([lost(), lost(False), OK])
    assert world.run() is OK
    assert world.waits == [0.05, 0.1]


def test_error_of_the_last_try_is_raised() -> None:
    world = World([busy(429, "1"), busy(429, "1"), busy(503, "4"), OK], retries=2)
    with pytest.raises(UnavailableError, match=r"^too many$") as caught:
        world.run()
    assert (caught.value.status, caught.value.retry_after) == (503, 4.0)
    assert caught.value.request_id == "id-1"
    assert len(world.left) == 3


def test_no_retries_means_one_try() -> None:
    world = World([busy(), OK], retries=0)
    with pytest.raises(UnavailableError):
        world.run()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, RefusedError) for status in (400, 401, 403, 404, 408, 413, 415, 422)),
        *((status, ServerFaultError) for status in (500, 501, 502, 301, 204)),
        (504, DeadlineExceededError),
    ],
)
def test_other_statuses_are_not_retried(status: int, kind: type[ClientError]) -> None:
    world = World([Reply(status, {"retry-after": "1"}, b'{"error": "because"}')])
    with pytest.raises(kind, match=r"^because$") as caught:
        world.run()
    assert caught.value.status == status
    assert world.waits == []


def test_wait_beyond_the_deadline_is_not_begun() -> None:
    world = World([busy(429, "30")])
    with pytest.raises(UnavailableError) as caught:
        world.run(timeout=20)
    assert caught.value.retry_after == 30
    assert world.now == 1000.0


def test_each_try_has_the_remaining_time() -> None:
    world = World([busy(429, "2"), busy(429, "2"), OK], seconds=1.0, uniform=lambda: 0.0)
    assert world.run(timeout=10) is OK
    assert world.left == [10.0, 7.0, 4.0]


def test_passed_deadline_is_not_retried() -> None:
    world = World([None], seconds=99.0)
    with pytest.raises(DeadlineExceededError, match="not ready within 10 s") as caught:
        world.run(timeout=10)
    assert caught.value.status is None
    assert isinstance(caught.value, TimeoutError)
    with pytest.raises(DeadlineExceededError):
        World([]).run(timeout=0)


def test_non_idempotent_request_is_repeated_only_if_it_has_not_begun() -> None:
    world = World([lost(sent=False), busy(429), OK])
    assert world.run(idempotent=False) is OK
    outcomes: list[Outcome] = [lost(sent=True), busy(503)]
    for outcome in outcomes:
        world = World([outcome])
        with pytest.raises((UnreachableError, UnavailableError)):
            world.run(idempotent=False)
        assert len(world.left) == 1


@given(
    st.lists(
        st.one_of(
            st.builds(busy, st.sampled_from([429, 503]), st.sampled_from([None, "0", "1", "9"])),
            st.builds(lost, st.booleans()),
        ),
        min_size=12,
        max_size=12,
    ),
    st.floats(0.01, 30),
    st.integers(0, 10),
    st.floats(0, 3),
    st.floats(0, 1),
)
def test_tries_and_time_are_bounded(
    outcomes: list[Outcome], timeout: float, retries: int, seconds: float, uniform: float
) -> None:
    world = World(outcomes, seconds, retries=retries, uniform=lambda: uniform)
    with pytest.raises(ClientError):
        world.run(timeout)
    assert len(world.left) <= retries + 1
    assert world.now <= 1000.0 + timeout + 1e-6
