"""From inputs and options to an answer, for every protocol: admission, queue, deadline.

A protocol decodes its request, calls the data plane, and encodes the result:

    with plane.request(context := Context(id)):
        context.begin(plane.timeout)
        predictor = plane.find("digits", None, context)
        prediction = await plane.predict(predictor, rows, options, context)

If a task is canceled or its client disconnects, its work stops.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray

from service.errors import CancelledError, MCDropoutError, StoppingError
from service.guarded import guarded
from service.inference.estimates import Doubling
from service.inference.jobs import Job, SampleJob
from service.inference.predictor import Predictor
from service.protocol.options import Options
from service.protocol.prediction import Prediction
from service.repository.registry import Repository
from service.scheduling.batch import Ticket
from service.scheduling.scheduler import Scheduler
from service.serving.context import Context
from service.serving.mailbox import Mailbox
from service.serving.metrics import Metrics
from service.serving.offload import offload
from service.serving.pending_memory import PendingMemory
from service.serving.tracing import Tracing

Array = NDArray[Any]

#: Seconds before the first check whether the client has disconnected.
_PATIENCE = 0.05


class DataPlane:
    """Answers requests of any protocol. Use it only on the event loop's thread.

    Attributes:
        repository: of the models.
        metrics, tracing: observers of requests.
        memory: limit on bodies and answers.
        timeout: maximum request deadline, in seconds.
    """

    def __init__(
        self,
        repository: Repository,
        scheduler: Scheduler,
        *,
        metrics: Metrics | None = None,
        tracing: Tracing | None = None,
        memory: PendingMemory | None = None,
        timeout: float = 60.0,
    ) -> None:
        """Answer with the models of `repository`; `scheduler` runs the passes."""
        self.repository = repository
        self.metrics = metrics or Metrics()
        self.tracing = tracing or Tracing()
        self.memory = memory or PendingMemory()
        self.timeout = timeout
        self._scheduler = scheduler
        self._arriving = 0  # requests that are about to run

    @contextmanager
    def request(self, context: Context) -> Iterator[Context]:
        """Track a request from its first byte until its answer is sent; then count it."""
        try:
            yield context
        finally:
            # It leads to the connection, which leads back here: such a circle would keep rows
            # and answer until the collector runs.
            context.disconnected = None
            self.memory.release(context)
            guarded("metrics", self._count, context)

    def _count(self, context: Context) -> None:
        for ticket in context.tickets:
            self.metrics.answered(*context.label, ticket)
        if context.answer:
            self.metrics.uncertainty.observe(*context.label, *context.answer)
        if context.calibrated:
            self.metrics.calibration.observe(*context.label, *context.calibrated)

    def find(self, name: str, version: int | None, context: Context) -> Predictor:
        """Find the model of a request, and record it for logs and metrics.

        Args:
            name: of the model.
            version: its number; None: the newest that can answer.
            context: of the request.

        Raises:
            ModelNotFoundError: there is no such model or version.
            ModelUnavailableError: it is not ready.
        """
        found, predictor = self.repository.predictor(name, version)
        context.model, context.version = found.name, str(found.number)
        return predictor

    async def predict(
        self,
        predictor: Predictor,
        x: Any,
        options: Options,
        context: Context,
    ) -> Prediction:
        """Run stochastic passes and reduce them.

        Args:
            predictor: of the model, from `find`.
            x, options: see `Predictor.prepare`.
            context: of the request.

        Raises:
            InputError: naming what is wrong, where, and what would be right.
            TooLargeError, QueueFullError, DeadlineError, CancelledError, StoppingError: it was
                not run to its end.
            OutputError: the model answered with NaN or infinity.
        """
        job = await offload(context, context.held, predictor.prepare, x, options)
        await self._run(predictor, job, context)
        return await self._reduce(predictor, job, context)

    async def stream(
        self,
        predictor: Predictor,
        x: Any,
        options: Options,
        context: Context,
    ) -> AsyncGenerator[Prediction, None]:
        """The same, with running estimates while the passes run.

        Close the generator to stop the work.

        Args:
            predictor, x, options, context: see `predict`.

        Yields:
            Predictions of the first 32, 64, 128 … passes, each the same bit for bit as an
            answer of so many; and the answer last (see `Prediction.final`). A reader that is
            slow may miss some of the former.

        Raises:
            MCDropoutError: as `predict` does, at any time.
        """
        job = await offload(context, context.held, predictor.prepare, x, options)
        # An estimate takes as much as the answer, and may be read while that is made.
        self.memory.hold(context, predictor.bytes_of(job))
        mailbox = Mailbox()
        job.observer = Doubling(mailbox.put)
        running = asyncio.ensure_future(self._run(predictor, job, context))
        running.add_done_callback(lambda _: mailbox.close())
        try:
            async for found, size in mailbox:
                yield await offload(context, size, predictor.prediction, job, found)
            await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        yield await self._reduce(predictor, job, context)

    async def predict_deterministic(
        self,
        predictor: Predictor,
        x: Any,
        context: Context,
    ) -> dict[str, Array]:
        """The same with dropout off: output name to (B, …)."""
        job = await offload(context, context.held, predictor.prepare_deterministic, x)
        await self._run(predictor, job, context)
        return await offload(context, job.found_bytes, predictor.outputs, job)

    async def _reduce(self, predictor: Predictor, job: SampleJob, context: Context) -> Prediction:
        found = await offload(context, job.found_bytes, predictor.prediction, job)
        context.answer = (predictor.manifest, found)
        terms = predictor.terms.calibrated
        if terms is not None and terms.holds(job.draws):
            context.calibrated = (terms, found)
        return found

    async def _run(self, predictor: Predictor, job: Job, context: Context) -> None:
        """Run a job to its end."""
        context.require_time()
        self.memory.hold(context, predictor.bytes_of(job))
        ticket = None
        if await self._is_alone():
            ticket = self._scheduler.run_now(job, predictor.sampler, context.label)
        if ticket is None:
            ticket = self._scheduler.submit(job, predictor.sampler, context.label, context.deadline)
            await self._finish(ticket, context)
        ticket.future.result()
        context.tickets.append(ticket)
        guarded("traces", self.tracing.passes, ticket)

    async def _is_alone(self) -> bool:
        """Whether no other request came with this one; if one did, they are to run together."""
        self._arriving += 1
        try:
            await asyncio.sleep(0)  # the others get as far
            return self._arriving == 1
        finally:
            self._arriving -= 1

    async def _finish(self, ticket: Ticket, context: Context) -> None:
        """Wait for a job's end, no longer than its client does."""
        answer = asyncio.wrap_future(ticket.future)
        try:
            async with asyncio.timeout(context.left()):
                await _wait(answer, context)
        except BaseException as error:
            # Whatever ended the wait, for example the server's own end, ends the work.
            fault = _fault(error, context)
            self._scheduler.cancel(ticket, fault)
            if fault is error or not isinstance(error, TimeoutError):
                raise
            raise fault from error
        finally:
            answer.cancel()  # or asyncio would log that its exception was never retrieved


async def _wait(answer: "asyncio.Future[None]", context: Context) -> None:
    await asyncio.wait({answer}, timeout=_PATIENCE)
    if not answer.done() and context.disconnected is not None:
        leaving = asyncio.ensure_future(context.disconnected())
        try:
            both: set[asyncio.Future[Any]] = {answer, leaving}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
        if not answer.done():
            raise CancelledError("the client disconnected; its passes were stopped.")
    await answer


def _fault(error: BaseException, context: Context) -> MCDropoutError:
    if isinstance(error, MCDropoutError):
        return error
    if isinstance(error, TimeoutError):
        return context.too_late()
    return StoppingError(
        "the server shut down before the answer was ready. Send the request again."
    )
