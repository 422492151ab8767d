"""Estimates on their way from one thread to another."""

import asyncio
import threading
from collections.abc import Sequence

import numpy as np

from service.core.moments import Moments
from service.core.summary import Summary
from service.inference.looks import Found
from service.serving.mailbox import Mailbox


def found(passes: int, numbers: int = 1) -> list[Found]:
    """What there is of a row after some passes."""
    zeros = np.zeros((1, numbers))
    summary = Summary(Moments(passes, zeros, zeros))
    return [Found(np.arange(1), passes, np.zeros(1, np.bool_), {"y": summary})]


def read(puts: Sequence[Sequence[Found]]) -> list[int]:
    """Passes of what a reader finds that comes after all was put by another thread."""

    async def run() -> list[int]:
        mailbox = Mailbox()

        def put() -> None:
            for estimate in puts:
                mailbox.put(estimate)
            loop.call_soon_threadsafe(mailbox.close)

        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=put)
        thread.start()
        await asyncio.to_thread(thread.join)
        return [parts[0].passes async for parts, _ in mailbox]

    return asyncio.run(asyncio.wait_for(run(), 20))


def test_small_estimates_all_wait() -> None:
    assert read([found(32 << n) for n in range(12)]) == [32 << n for n in range(12)]


def test_large_estimates_that_are_outdated_are_skipped() -> None:
    assert read([found(32 << n, numbers=100_000) for n in range(12)]) == [32 << 11]


def test_estimates_of_a_job_that_starts_again_come_once() -> None:
    assert read([found(passes) for passes in (32, 64, 32, 64, 128)]) == [32, 64, 128]


def test_a_reader_that_has_gone_does_no_harm() -> None:
    mailboxes: list[Mailbox] = []

    async def leave() -> None:
        mailboxes.append(Mailbox())

    asyncio.run(leave())
    mailboxes[0].put(found(32))
