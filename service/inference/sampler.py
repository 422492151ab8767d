"""Runs passes over rows in chunks that fit into memory; each is reduced and discarded."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from service.core.distributions import SiteDraw
from service.core.moments import Moments
from service.graph.plan import Layout
from service.graph.reductions import m2_output, mean_output
from service.inference.blocks import Block, Part, join_draws, look_at
from service.inference.jobs import DeterministicJob, Job, SampleJob, join_rows
from service.inference.runner import Draws, Frontier, Rows, Runner, row_count
from service.inference.sizes import Sizes, Sizing
from service.inference.speed import Speed, Step

Array = NDArray[Any]


class Pace(Protocol):
    """Limits the next step; queried before each step, so that it can adapt."""

    def rows(self, sizes: Sizes) -> int:
        """Maximum number of rows of a step, each with at least one pass."""

    def samples(self, sizes: Sizes) -> int:
        """Maximum number of samples (rows × passes) of a step."""


class Unhurried:
    """A pace without limits other than memory."""

    def rows(self, sizes: Sizes) -> int:
        """Any number."""
        return sizes.rows

    def samples(self, sizes: Sizes) -> int:
        """Any number."""
        return sizes.samples


UNHURRIED = Unhurried()
#: Passes of the first chunk of a job that is observed, as a multiple of those of the first look: it
#: is shown at most so much later than if the chunk ended there.
_AHEAD = 2
#: The trunk's outputs of several blocks are held up to this part of the memory for passes, and
#: made again beyond: at most four long jobs run at a time.
_HELD = 1 / 4


class _Cut(NamedTuple):
    """Rows that run together: (B, …), from row `first` on; the last may be padding."""

    rows: Rows
    first: int
    real: int


class Sampler:
    """Runs passes over rows. Safe to use from several threads."""

    def __init__(
        self,
        runner: Runner,
        sizing: Sizing | None = None,
        fixed_rows: int | None = None,
        loops: bool = False,
    ) -> None:
        """Sample with `runner`.

        Args:
            runner: of a plan.
            sizing: how much may run at a time; by default the maximum of `Tuning`.
            fixed_rows: the number of rows of a serial plan's graph; None: any.
            loops: whether the graph has loops, whose number of iterations may depend on
                values, so that they may take any time.
        """
        self.runner = runner
        self.plan = runner.plan
        self.tuning = runner.tuning
        self.sites = runner.sites
        maximum = self.tuning.max_samples
        self.sizing = sizing or Sizing(Sizes(samples=maximum, rows=maximum))
        self.speed = Speed(self.tuning)
        self.loops = loops
        self._serial_rows = fixed_rows or 1

    def deterministic(self, rows: Rows) -> dict[str, Array]:
        """The outputs with dropout off: output name to (B, …)."""
        job = DeterministicJob(rows)
        for _ in self.run([job]):
            pass
        return job.outputs()

    def sample(
        self, rows: Rows, passes: int, draws: Draws, apart: bool = False, first: int = 0
    ) -> dict[str, Array]:
        """All samples, from pass `first` on: output name to (P·J, B, …), J of each pass.

        If `apart`, trunk and tail run in separate sessions.
        """
        parts, sizes = [], self.sizing(rows, draws.inner)
        for cut in self._cut(rows, sizes, UNHURRIED):
            once = not apart and passes <= self._passes_at_a_time(row_count(cut.rows), sizes)
            block = self.runner.frontier(cut.rows, cut.first, once=once)
            chunks = [
                self.runner.run(block, drawn, draws.sites)
                for drawn in self._drawn(block, sizes, range(first, first + passes), draws)
            ]
            found = {
                name: np.concatenate([chunk[name] for chunk in chunks])
                for name in self.plan.stochastic
            }
            for name, y in block.fixed.items():
                found[name] = np.broadcast_to(y, (passes * draws.inner, *y.shape))
            parts.append({name: y[:, : cut.real] for name, y in found.items()})
        return {name: np.concatenate([p[name] for p in parts], axis=1) for name in parts[0]}

    def joins(self, job: Job, other: Job) -> bool:
        """Whether both jobs may be in one `run`, if their sizes allow."""
        if not isinstance(job, SampleJob) or not isinstance(other, SampleJob):
            return False
        # The samples of all rows of a batch are kept, or none.
        kept_alike = job.keeps_samples == other.keeps_samples
        reduced_alike = not self.plan.reduced or job.needs_samples == other.needs_samples
        alike = kept_alike and reduced_alike
        return not self.plan.layout.one_pass and alike and job.joins(other)

    def run(self, jobs: Sequence[Job], pace: Pace = UNHURRIED) -> Generator[Step, None, None]:
        """Run jobs together, a chunk of passes at a step; memory does not grow with P.

        Each pass of a job draws what it would draw alone. A job whose fault is set
        leaves before the next step, and the others go on.

        Args:
            jobs: one, or several of which each `joins` the first, of no more rows together
                than go through the trunk at a time.
            pace: limits the steps; the rows of several jobs run in one step.

        Yields:
            A description of each step, after it has run.

        Raises:
            InputError: a single row takes more memory than allowed.
        """
        if isinstance(jobs[0], DeterministicJob):
            yield from self._run_off(jobs[0], pace)
        else:
            yield from self._run_on([job for job in jobs if isinstance(job, SampleJob)], pace)

    def _run_on(self, jobs: Sequence[SampleJob], pace: Pace) -> Iterator[Step]:
        for job in jobs:
            if job.off is not None:
                yield from self._run_off(job.off, pace)
        rows = join_rows(jobs)
        sizes = self.sizing(rows, jobs[0].inner)
        blocks = self._blocks_of(jobs, rows, sizes, pace)
        if any(job.in_step for job in jobs):
            yield from self._run_blocks([*blocks], sizes, pace)
        else:
            for block in blocks:
                yield from self._run_blocks([block], sizes, pace)

    def _run_off(self, job: DeterministicJob, pace: Pace) -> Iterator[Step]:
        sizes = self.sizing(job.rows)
        for cut in self._cut(job.rows, sizes, pace):
            if job.fault is not None:
                return
            block = self.runner.frontier(cut.rows, training=False, once=True)
            drawn = self.runner.neutral(block, passes=1)
            found = self.runner.run(block, drawn, on=frozenset())
            both = {name: y[0] for name, y in found.items()} | dict(block.fixed)
            job.add({name: y[: cut.real] for name, y in both.items()}, cut.real)
            yield Step(sizes, block.rows, 1, block.rows)

    def _blocks_of(
        self, jobs: Sequence[SampleJob], rows: Rows, sizes: Sizes, pace: Pace
    ) -> Iterator[Block]:
        """The rows of jobs in blocks; those of several jobs are one block."""
        if len(jobs) > 1:
            yield Block(rows, [Part.of(job, range(job.count)) for job in jobs])
            return
        shrinks = self.plan.layout is not Layout.SERIAL
        for cut in self._cut(rows, sizes, pace):
            own = range(cut.first, cut.first + row_count(cut.rows))
            yield Block(cut.rows, [Part.of(jobs[0], own, cut.real)], shrinks)

    def _run_blocks(self, blocks: Sequence[Block], sizes: Sizes, pace: Pace) -> Iterator[Step]:
        """All passes of some blocks: of each block up to the next look, then to the one after."""
        while blocks := [block for block in blocks if block.drop_rows()]:
            until = self._until(blocks, sizes, pace)
            for block in blocks:
                if block.frontier is None:
                    yield from self._begin(block, until, sizes, pace)
                while block.passes < until and block.drop_rows():
                    step, looks = self._run_chunk(block, until, sizes, pace)
                    for _ in looks:
                        if block is blocks[-1]:
                            look_at(blocks)
                    yield step
                held = sum(each.held for each in blocks) if len(blocks) > 1 else 0
                if held > _HELD * sizes.rows * sizes.row:
                    block.frontier = None

    def _until(self, blocks: Sequence[Block], sizes: Sizes, pace: Pace) -> int:
        """The number of passes up to which each block may run by itself."""
        look, stop = min([block.next_look for block in blocks]), blocks[0].next_stop
        if look == stop or len(blocks) > 1 or self._reduces(blocks[0]):
            return look
        # Looks at which no row may stop lie inside of chunks, for these cost more.
        early = not blocks[0].passes and stop > self._passes_of(blocks[0], sizes, pace)
        return min(stop, _AHEAD * look) if early else stop

    def _begin(self, block: Block, until: int, sizes: Sizes, pace: Pace) -> Iterator[Step]:
        """Run the trunk, unless it can run together with all passes."""
        only = block.passes == 0 and all(part.job.passes == until for part in block.parts)
        once = only and until <= self._passes_of(block, sizes, pace)
        block.frontier = self.runner.frontier(block.rows, once=once)
        block.fixed = block.frontier.fixed
        if not block.frontier.whole and self.plan.trunk is not None:
            yield Step(sizes, block.count, 0, block.count)

    def _run_chunk(
        self, block: Block, until: int, sizes: Sizes, pace: Pace
    ) -> tuple[Step, Iterator[int]]:
        """Run some passes of a block, at most up to `until`.

        Returns:
            What ran, and the looks among its passes; each is next when the block has come to it.
        """
        frontier = block.frontier or self.runner.frontier(block.rows)
        last = min(until, block.passes + self._passes_of(block, sizes, pace))
        passes = range(block.passes, last)
        numbers = join_draws(
            [self.runner.draw(frontier, passes, p.job.draws, p.rows.tolist()) for p in block.parts],
            [len(part.rows) for part in block.parts],
        )
        reduced = self.plan.reduced if self._reduces(block) else frozenset[str]()
        whole = [name for name in self.plan.stochastic if name not in reduced]
        names = [*whole, *(part(name) for name in reduced for part in (mean_output, m2_output))]
        samples = self.runner.run(frontier, numbers, block.parts[0].job.draws.sites, names)
        chunk = {name: _moments(samples, name, len(passes)) for name in reduced}
        step = Step(sizes, frontier.rows, len(passes), frontier.rows if frontier.whole else 0)
        return step, block.add(passes, {name: samples[name] for name in whole}, chunk)

    def first_block(self, rows: Rows) -> Frontier:
        """The frontier of the first block of rows."""
        return self.runner.frontier(next(self._cut(rows, self.sizing(rows), UNHURRIED)).rows)

    def _cut(self, rows: Rows, sizes: Sizes, pace: Pace) -> Iterator[_Cut]:
        """Rows in blocks that fit."""
        count, first = row_count(rows), 0
        serial = self.plan.layout is Layout.SERIAL
        while first < count:
            if serial:
                size = self._serial_rows
            else:
                size = min(count - first, sizes.samples, sizes.rows, pace.rows(sizes))
            block, real = rows, count
            if size != count:
                block = {name: x[first : first + size] for name, x in rows.items()}
                real = row_count(block)
            if real < size:
                block = {name: _filled_up(x, size) for name, x in block.items()}
            yield _Cut(block, first, real)
            first += size

    def _drawn(
        self, block: Frontier, sizes: Sizes, passes: range, draws: Draws
    ) -> Iterator[Sequence[SiteDraw]]:
        """The draws of all chunks, one after the other."""
        size = self._passes_at_a_time(block.rows, sizes)
        for first in range(0, len(passes), size):
            yield self.runner.draw(block, passes[first : first + size], draws)

    def _passes_of(self, block: Block, sizes: Sizes, pace: Pace) -> int:
        """Maximum passes of the next chunk."""
        passes, coupled = self._passes_at_a_time(block.count, sizes, pace), block.coupled
        if coupled > 1 and self._reduces(block):
            # The chunk may not cross the end of a block of passes.
            return min(passes, coupled - block.passes % coupled)
        return passes

    def _reduces(self, block: Block) -> bool:
        """Whether the graph reduces outputs of a chunk over all of its passes."""
        return bool(self.plan.reduced) and not block.needs_samples

    def _passes_at_a_time(self, rows: int, sizes: Sizes, pace: Pace = UNHURRIED) -> int:
        samples = min(sizes.samples, pace.samples(sizes))
        return min(sizes.passes(samples, rows), self.tuning.max_passes)


def _moments(samples: Mapping[str, Array], name: str, passes: int) -> Moments:
    """Those of an output that the graph reduced over some passes."""
    mean, m2 = samples[mean_output(name)], samples[m2_output(name)]
    return Moments(passes, mean.astype(np.float64), np.maximum(m2, 0).astype(np.float64))


def _filled_up(x: Array, size: int) -> Array:
    """`x` with its last row repeated, until there are `size` rows."""
    return np.concatenate([x, x[-1:].repeat(size - len(x), axis=0)])
