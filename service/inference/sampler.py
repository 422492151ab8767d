"""Runs passes over rows in chunks that fit into memory; each is reduced and discarded."""

import itertools
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from service.core.distributions import SiteDraw
from service.core.measures import BoundMeasure
from service.core.measures.bound import Source, with_noise
from service.core.moments import Moments
from service.core.summary import Running, Summary, constant, need_samples
from service.graph.plan import Layout
from service.graph.reductions import m2_output, mean_output
from service.inference.jobs import DeterministicJob, Job, Part, SampleJob, join_draws, join_rows
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
        """All samples, from pass `first` on: output name to (P, B, …).

        If `apart`, trunk and tail run in separate sessions.
        """
        parts, sizes = [], self.sizing(rows)
        for block, count in self._blocks(rows, sizes, None if apart else passes):
            chunks = [
                self.runner.run(block, drawn, draws.sites)
                for drawn in self._drawn(block, sizes, range(first, first + passes), draws)
            ]
            found = {
                name: np.concatenate([chunk[name] for chunk in chunks])
                for name in self.plan.stochastic
            }
            for name, y in block.fixed.items():
                found[name] = np.broadcast_to(y, (passes, *y.shape))
            parts.append({name: y[:, :count] for name, y in found.items()})
        return {name: np.concatenate([p[name] for p in parts], axis=1) for name in parts[0]}

    def joins(self, job: Job, other: Job) -> bool:
        """Whether both jobs may be in one `run`, if their sizes allow."""
        if not isinstance(job, SampleJob) or not isinstance(other, SampleJob):
            return False
        reduced_alike = need_samples(job.measures) == need_samples(other.measures)
        # The samples of all rows of a batch are kept, or none.
        kept_alike = job.keeps_samples == other.keeps_samples
        alike = kept_alike and (not self.plan.reduced or reduced_alike)
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
        sizes = self.sizing(rows)
        longest = max(job.passes for job in jobs)
        alike = all(job.passes == longest for job in jobs)
        once, several = longest if alike else None, len(jobs) > 1
        for block, count in self._blocks(rows, sizes, once, pace=pace, together=several):
            if several:
                parts = [Part(job, 0, job.count, job.count) for job in jobs]
            else:
                parts = [Part(jobs[0], block.first, block.rows, count)]
            if not block.whole and self.plan.trunk is not None:
                yield Step(sizes, block.rows, 0, block.rows)
            yield from self._run_block(block, parts, sizes, pace)

    def _run_off(self, job: DeterministicJob, pace: Pace) -> Iterator[Step]:
        sizes = self.sizing(job.rows)
        for block, count in self._blocks(job.rows, sizes, 1, training=False, pace=pace):
            if job.fault is not None:
                return
            drawn = self.runner.neutral(block, passes=1)
            found = self.runner.run(block, drawn, on=frozenset())
            both = {name: y[0] for name, y in found.items()} | dict(block.fixed)
            job.add({name: y[:count] for name, y in both.items()}, count)
            yield Step(sizes, block.rows, 1, block.rows)

    def _run_block(
        self, block: Frontier, parts: Sequence[Part], sizes: Sizes, pace: Pace
    ) -> Iterator[Step]:
        """All passes of the rows in one block."""
        trunk_rows = block.rows if block.whole else 0
        done, found = 0, dict[Source, Running | Summary]()
        while parts:
            going = [part.job.fault is None and part.job.passes > done for part in parts]
            if not all(going):
                kept = np.flatnonzero(np.repeat(going, [part.rows for part in parts]))
                block = block.take(kept)
                found = {name: running.rows(kept) for name, running in found.items()}
                parts = list(itertools.compress(parts, going))
                continue
            least = min(part.job.passes for part in parts) - done
            passes = min(self._passes_at_a_time(block.rows, sizes, pace), least)
            drawn = [self._draw(block, part, range(done, done + passes)) for part in parts]
            numbers = join_draws(drawn, [part.rows for part in parts])
            measures = tuple(dict.fromkeys(m for part in parts for m in part.job.measures))
            found = self._run_chunk(block, numbers, parts[0].job.draws, measures, found)
            if not done:
                each = sum(r.kept_bytes for r in found.values()) // (passes * block.rows)
                for part in parts:
                    part.job.limit_kept(each)
            done += passes
            first = 0
            for part in parts:
                if part.job.passes == done:
                    self._finish(block, part, slice(first, first + part.real), found)
                first += part.rows
            yield Step(sizes, block.rows, passes, trunk_rows)

    def _draw(self, block: Frontier, part: Part, passes: range) -> Sequence[SiteDraw]:
        own = range(part.first, part.first + part.rows)
        return self.runner.draw(block, passes, part.job.draws, own)

    def _finish(
        self, block: Frontier, part: Part, mine: slice, found: Mapping[Source, Running | Summary]
    ) -> None:
        job = part.job
        own = {source: running.rows(mine) for source, running in found.items()}
        summaries = {
            source: one.summary() if isinstance(one, Running) else one
            for source, one in own.items()
        }
        fixed = {name: y[mine] for name, y in block.fixed.items()}
        for source, y in with_noise(fixed, job.measures).items():
            summaries[source] = constant(source, y, job.passes, job.measures)
        if job.off is not None:
            for name, y in job.off.outputs().items():
                off = y[part.first : part.first + part.real]
                summaries[name] = replace(summaries[name], off=off)
        job.add(summaries, part.real)

    def _run_chunk(
        self,
        block: Frontier,
        drawn: Sequence[SiteDraw],
        draws: Draws,
        measures: tuple[BoundMeasure, ...],
        found: Mapping[Source, Running | Summary],
    ) -> dict[Source, Running | Summary]:
        """Update the summaries `found` with the passes of `drawn`."""
        plan, added = self.plan, dict[Source, Running | Summary]()
        reduced = () if need_samples(measures) else plan.reduced
        whole = [name for name in plan.stochastic if name not in reduced]
        parts = [part(name) for name in reduced for part in (mean_output, m2_output)]
        samples = self.runner.run(block, drawn, draws.sites, [*whole, *parts])
        for source, y in with_noise({name: samples[name] for name in whole}, measures).items():
            before = found.get(source) or Running.start(source, y, measures)
            added[source] = before.add(y) if isinstance(before, Running) else before
        for name in reduced:
            mean, m2 = samples[mean_output(name)], samples[m2_output(name)]
            both = mean.astype(np.float64), np.maximum(m2, 0).astype(np.float64)
            chunk = Summary(Moments(len(drawn[0].numbers), *both))
            earlier = found.get(name)
            added[name] = earlier.merge(chunk) if isinstance(earlier, Summary) else chunk
        return added

    def first_block(self, rows: Rows) -> Frontier:
        """The frontier of the first block of rows."""
        return next(self._blocks(rows, self.sizing(rows)))[0]

    def _blocks(
        self,
        rows: Rows,
        sizes: Sizes,
        passes: int | None = None,
        training: bool = True,
        *,
        pace: Pace = UNHURRIED,
        together: bool = False,
    ) -> Iterator[tuple[Frontier, int]]:
        """The frontiers of blocks of rows, and the number of real rows; the others are padding.

        With `passes`, how many there will be, a frontier may be one for a single run. Rows
        that have to stay `together` are one block.
        """
        count, first = row_count(rows), 0
        serial = self.plan.layout is Layout.SERIAL
        while first < count:
            size = self._serial_rows if serial else count
            if not serial and not together:
                size = min(count - first, sizes.samples, sizes.rows, pace.rows(sizes))
            block, real = rows, count
            if size != count:
                block = {name: x[first : first + size] for name, x in rows.items()}
                real = row_count(block)
            if real < size and serial:
                block = {name: _filled_up(x, size) for name, x in block.items()}
            once = passes is not None and passes <= self._passes_at_a_time(size, sizes, pace)
            yield self.runner.frontier(block, first, training, once), real
            first += size

    def _drawn(
        self, block: Frontier, sizes: Sizes, passes: range, draws: Draws
    ) -> Iterator[Sequence[SiteDraw]]:
        """The draws of all chunks, one after the other."""
        size = self._passes_at_a_time(block.rows, sizes, UNHURRIED)
        for first in range(0, len(passes), size):
            yield self.runner.draw(block, passes[first : first + size], draws)

    def _passes_at_a_time(self, rows: int, sizes: Sizes, pace: Pace) -> int:
        samples = min(sizes.samples, pace.samples(sizes))
        return min(sizes.passes(samples, rows), self.tuning.max_passes)


def _filled_up(x: Array, size: int) -> Array:
    """`x` with its last row repeated, until there are `size` rows."""
    return np.concatenate([x, x[-1:].repeat(size - len(x), axis=0)])
