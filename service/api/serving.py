"""From a request to its job's end: the queue, the deadline, the client that leaves."""

import asyncio
import os
import threading
from dataclasses import dataclass, field
from math import prod
from typing import Any

from fastapi import Request

from service.api.body import off_loop
from service.api.metrics import Metrics
from service.api.observe import Seen, seen
from service.api.tracing import Tracing
from service.batch import Ticket
from service.device import Device
from service.errors import (
    CancelledError,
    InputError,
    MCDropoutError,
    StoppingError,
)
from service.guarded import guarded
from service.jobs import Job
from service.options import Options
from service.predictor import Prediction, Predictor
from service.repository import Repository, Version
from service.scheduler import Scheduler

#: Seconds for which nobody looks whether the client is still there.
_PATIENCE = 0.05
#: Bytes that a number of an answer takes: in arrays, as an object of Python's, as text.
_NUMBER = 64


@dataclass(frozen=True)
class Serving:
    """What the routes share.

    Attributes:
        repository, scheduler, device, metrics, tracing: of the process.
        timeout: most seconds that a request may take.
        control: whether requests may load and unload models.
        draining: set when the process is about to end.
        arriving: requests that are about to be run.
    """

    repository: Repository
    scheduler: Scheduler
    device: Device
    metrics: Metrics
    tracing: Tracing
    timeout: float = 60.0
    control: bool = False
    draining: threading.Event = field(default_factory=threading.Event)
    arriving: set[int] = field(default_factory=set)


def serving(request: Request) -> Serving:
    """That of the application a request came to."""
    found: Serving = request.app.state.serving
    return found


def without_folder(repository: Repository, text: str) -> str:
    """A text without the path of the models, which is the operators' alone and in the log."""
    folder = str(repository.folder)
    return text.replace(f"{folder}{os.sep}", "").replace(folder, "the folder of models")


def find(request: Request, name: str, number: int | None) -> tuple[Version, Predictor]:
    """The version that is to answer; the log and the metrics will name it.

    Precondition: the request's body was read, and its time begins.

    Raises:
        ModelNotFoundError: there is no such model or version.
        ModelUnavailableError: it cannot answer now.
    """
    shared, mine = serving(request), seen(request)
    mine.arrive(shared.timeout)
    version, predictor = shared.repository.predictor(name, number)
    mine.model, mine.version = version.name, str(version.number)
    return version, predictor


async def predict(
    request: Request,
    predictor: Predictor,
    job: Job,
    options: Options,
    timeout: float | None = None,
) -> Prediction:
    """Run the passes of a prepared job.

    Raises:
        QueueFullError, DeadlineError, CancelledError, StoppingError: it was not run to its end.
        OutputError: the model answered with NaN or infinity.
    """
    kinds = 2 + len(options.measures)
    await _run(request, predictor, job, timeout, kinds)
    found = await off_loop(request, job.found_bytes, predictor.prediction, job, options.measures)
    seen(request).found = (predictor.manifest, found)
    return found


async def predict_deterministic(
    request: Request, predictor: Predictor, job: Job, timeout: float | None = None
) -> dict[str, Any]:
    """The same with dropout off: output name to (B, …)."""
    await _run(request, predictor, job, timeout, 1)
    return await off_loop(request, job.found_bytes, predictor.outputs, job)


async def _run(
    request: Request, predictor: Predictor, job: Job, timeout: float | None, kinds: int
) -> None:
    """Precondition: the request's body was read. `kinds`: quantities of each output."""
    shared, mine = serving(request), seen(request)
    mine.seconds = _seconds(timeout, shared.timeout)
    mine.require_time()
    request.app.state.room.take(request.scope, _size(predictor, job, kinds))
    label = (mine.model, mine.version)
    ticket = None
    if await _alone(shared, mine):
        ticket = shared.scheduler.run_now(job, predictor.sampler, label)
    if ticket is None:
        deadline = mine.arrived + mine.seconds
        ticket = shared.scheduler.submit(job, predictor.sampler, label, deadline)
        await _finish(request, shared.scheduler, ticket, mine)
    ticket.future.result()
    mine.tickets.append(ticket)
    guarded("traces", shared.tracing.passes, ticket)


def _size(predictor: Predictor, job: Job, kinds: int) -> int:
    """About how many bytes a job's rows and answer take until the client has read it."""
    shapes = [spec.shape[1:] for spec in predictor.manifest.outputs]
    numbers = job.count * kinds * sum(prod(n or 1 for n in shape) for shape in shapes)
    return numbers * _NUMBER + sum(x.nbytes for x in job.rows.values())


async def _alone(shared: Serving, mine: Seen) -> bool:
    """Whether no other request came with this one; if one did, they are to run together."""
    shared.arriving.add(id(mine))
    try:
        await asyncio.sleep(0)  # the others get as far
        return len(shared.arriving) == 1
    finally:
        shared.arriving.discard(id(mine))


async def _finish(request: Request, scheduler: Scheduler, ticket: Ticket, mine: Seen) -> None:
    """Wait for a job's end, no longer than its client does."""
    answer = asyncio.wrap_future(ticket.future)
    try:
        async with asyncio.timeout(mine.left()):
            await _answer(request, answer)
    except BaseException as error:
        # Whatever ended the wait, for example the server's own end, ends the work.
        fault = _fault(error, mine)
        scheduler.cancel(ticket, fault)
        if fault is error or not isinstance(error, TimeoutError):
            raise
        raise fault from error
    finally:
        answer.cancel()  # or asyncio would complain that nobody asked for its fault


async def _answer(request: Request, answer: "asyncio.Future[None]") -> None:
    await asyncio.wait({answer}, timeout=_PATIENCE)
    if not answer.done():
        # The body was read: the next message can only be that the client is gone.
        leaving = asyncio.ensure_future(request.receive())
        try:
            both: set[asyncio.Future[Any]] = {answer, leaving}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
        if not answer.done():
            raise CancelledError("the client is gone; its passes were stopped.")
    await answer


def _seconds(asked: float | None, most: float) -> float:
    if asked is None:
        return most
    if not 0 < asked <= most:
        raise InputError(
            f"timeout is {asked:g} s; it must be more than 0 and at most {most:g}, this server's "
            "own limit."
        )
    return asked


def _fault(error: BaseException, mine: Seen) -> MCDropoutError:
    if isinstance(error, MCDropoutError):
        return error
    if isinstance(error, TimeoutError):
        return mine.too_late()
    return StoppingError("the server stopped before the answer was there. Send it again.")
