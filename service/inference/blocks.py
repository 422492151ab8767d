"""Blocks of rows that run together, and the rows of each job in them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.core.distributions import SiteDraw
from service.core.measures.bound import Source, with_noise
from service.core.moments import Moments
from service.core.summary import Merged, Running, constant
from service.inference.jobs import SampleJob
from service.inference.looks import Found
from service.inference.runner import Frontier, Rows, row_count

Array = NDArray[Any]


@dataclass
class Part:
    """The rows of one job in a block.

    Attributes:
        job: of the rows.
        rows: (R,) their indices in the job.
        live: (L,) which of the R still need passes; the others are padding.
    """

    job: SampleJob
    rows: NDArray[np.intp]
    live: NDArray[np.intp]

    @classmethod
    def of(cls, job: SampleJob, rows: range, real: int | None = None) -> "Part":
        """Consecutive rows, of which the first `real` are live; by default all."""
        live = np.arange(len(rows) if real is None else real)
        return cls(job, np.arange(rows.start, rows.stop), live)


@dataclass(eq=False)
class Block:
    """Rows that run together, and what their passes have come to.

    Attributes:
        rows: input name to (B, …).
        parts: whose rows they are, in order.
        shrinks: whether rows can be taken out; else they become padding.
        frontier: of the rows; None: the trunk has to run.
        fixed: (B, …) outputs that no site reaches.
        passes: that have run.
        found: the samples so far of each source.
        measures: of all jobs.
    """

    rows: Rows
    parts: list[Part]
    shrinks: bool = True
    frontier: Frontier | None = None
    fixed: Mapping[str, Array] = field(default_factory=dict)
    passes: int = 0
    found: Mapping[Source, Running | Merged] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tracked = (measure for part in self.parts for measure in part.job.tracked)
        self.measures = tuple(dict.fromkeys(tracked))

    @property
    def count(self) -> int:
        """B."""
        return row_count(self.rows)

    @property
    def coupled(self) -> int:
        """Number of passes that are coupled, of all jobs."""
        return self.parts[0].job.draws.block

    @property
    def inner(self) -> int:
        """Samples of a row in each pass, of all jobs."""
        return self.parts[0].job.inner

    @property
    def next_look(self) -> int:
        """The next number of passes at which a job is looked at."""
        return min([part.job.next_look(self.passes) for part in self.parts])

    @property
    def next_stop(self) -> int:
        """The next number of passes at which rows may stop."""
        return min([part.job.next_stop(self.passes) for part in self.parts])

    @property
    def needs_samples(self) -> bool:
        """Whether samples may not be reduced in the graph."""
        return any(part.job.needs_samples for part in self.parts)

    @property
    def held(self) -> int:
        """Bytes of the frontier."""
        return 0 if self.frontier is None else self.frontier.nbytes

    def add(
        self, passes: range, samples: Mapping[str, Array], reduced: Mapping[str, Moments]
    ) -> Iterator[int]:
        """Add the next passes, up to the next look, then to the one after.

        Args:
            passes: P.
            samples: output name to (P·J, B, …), J being `inner`.
            reduced: of further outputs, their moments over the passes, before whose end there is
                no look.

        Yields:
            The number of passes at each look, when it has come to it.
        """
        while self.passes < passes.stop:
            look = self.next_look
            last = min(look, passes.stop)
            own = slice(*(self.inner * (n - passes.start) for n in (self.passes, last)))
            self._add(last - self.passes, {name: y[own] for name, y in samples.items()}, reduced)
            if last == look:
                yield look

    def _add(
        self, passes: int, samples: Mapping[str, Array], reduced: Mapping[str, Moments]
    ) -> None:
        found = dict[Source, Running | Merged]()
        for source, y in with_noise(samples, self.measures).items():
            before = self.found.get(source)
            if not isinstance(before, Running):
                kind = {"block": self.coupled, "inner": self.inner}
                before = Running.start(source, y, self.measures, **kind)
            found[source] = before.add(y)
        for name, chunk in reduced.items():
            merged = self.found.get(name)
            if not isinstance(merged, Merged):
                merged = Merged.start(chunk, self.coupled)
            found[name] = merged.add(chunk)
        if not self.passes and (kept := sum([one.kept_bytes for one in found.values()])):
            for part in self.parts:
                part.job.limit_kept(kept // (passes * self.count))
        for part in self.parts:
            part.job.left -= passes * len(part.live)
        self.found, self.passes = found, self.passes + passes

    def views(self) -> Iterator["View"]:
        """Of the live rows of each part."""
        first = 0
        for part in self.parts:
            yield View(self, part, first + part.live, part.rows[part.live])
            first += len(part.rows)

    def drop_rows(self) -> bool:
        """Drop the rows that have stopped, and those of jobs with a fault; whether any is left."""
        live = 0
        for part in self.parts:
            if part.job.fault is not None:
                part.live = part.live[:0]
            live += len(part.live)
        if not live:
            self.parts = []
        elif self.shrinks and live < self.count:
            self._take([view for view in self.views() if len(view.rows)])
        return bool(self.parts)

    def _take(self, views: Sequence["View"]) -> None:
        index = np.concatenate([view.where for view in views])
        self.rows = {name: x[index] for name, x in self.rows.items()}
        self.frontier = self.frontier and self.frontier.take(index)
        self.fixed = {name: y[index] for name, y in self.fixed.items()}
        self.found = {source: running.rows(index) for source, running in self.found.items()}
        self.parts = [Part(view.part.job, view.rows, np.arange(len(view.rows))) for view in views]


class View(NamedTuple):
    """Some rows of a part.

    Attributes:
        block, part: that they are in.
        where: (L,) their places in the block.
        rows: (L,) their indices in the job.
    """

    block: Block
    part: Part
    where: NDArray[np.intp]
    rows: NDArray[np.intp]

    def settled(self) -> NDArray[np.bool_]:
        """(L,) whether the rule of the job is met; True without one."""
        rule = self.part.job.rule
        if rule is None:
            return np.ones(len(self.rows), np.bool_)
        samples = self._samples().items()
        return rule.settled({source: one for source, one in samples if isinstance(one, Running)})

    def stop(self, some: NDArray[np.bool_], settled: NDArray[np.bool_]) -> None:
        """Store what there is of some of all live rows, which stop."""
        block, part, where, rows = self
        part.job.add(View(block, part, where[some], rows[some]).found(settled[some]))
        part.live = part.live[~some]

    def found(self, settled: NDArray[np.bool_]) -> Found:
        """What there is of the rows."""
        block, job = self.block, self.part.job
        summaries = {source: one.summary() for source, one in self._samples().items()}
        if block.fixed:
            fixed = {name: y[self.where] for name, y in block.fixed.items()}
            for source, y in with_noise(fixed, job.measures).items():
                summaries[source] = constant(source, y, block.passes, job.measures, job.inner)
        if job.off is not None:
            for name, y in job.off.outputs().items():
                summaries[name] = replace(summaries[name], off=y[self.rows])
        return Found(self.rows, block.passes, settled, summaries)

    def _samples(self) -> Mapping[Source, Running | Merged]:
        found = self.block.found
        if len(self.where) == self.block.count:
            return found
        return {source: running.rows(self.where) for source, running in found.items()}


def look_at(blocks: Sequence[Block]) -> None:
    """Let the rows stop that need no more passes, and show the state of all to observers.

    Args:
        blocks: which have had the same passes; all that are left of their jobs.
    """
    views = defaultdict[SampleJob, list[View]](list)
    for view in (view for block in blocks for view in block.views()):
        views[view.part.job].append(view)
    passes = blocks[0].passes
    for job, own in views.items():
        if job.next_stop(passes - 1) == passes:
            _stop_rows(job, own, last=passes == job.passes)
        observer = job.observer
        if observer and not job.done and observer.next_look(passes - 1) == passes:
            observer.show(passes, [*job.found, *_going(blocks, job)])


def _going(blocks: Sequence[Block], job: SampleJob) -> Iterator[Found]:
    """What there is of the live rows of a job."""
    for view in (view for block in blocks for view in block.views()):
        if view.part.job is job and len(view.rows):
            yield view.found(np.zeros(len(view.rows), np.bool_))


def _stop_rows(job: SampleJob, views: Sequence[View], last: bool) -> None:
    settled = [view.settled() for view in views]
    if job.rule is not None and job.rule.together and not all(rows.all() for rows in settled):
        settled = [np.zeros_like(rows) for rows in settled]
    for view, rows in zip(views, settled, strict=True):
        if last or rows.any():
            view.stop(rows | last, rows)


def join_draws(drawn: Sequence[Sequence[SiteDraw]], rows: Sequence[int]) -> Sequence[SiteDraw]:
    """Concatenate the draws of several parts to those of one block.

    Args:
        drawn: for each part, the draws of each site: (P, R, …), R being 1 or the part's rows.
        rows: of each part.

    Returns:
        The draws of each site: (P, B, …), B being the sum of `rows`.
    """
    if len(drawn) == 1:
        return drawn[0]
    return [
        SiteDraw(
            np.concatenate(
                [_for_each_row(d.numbers, n) for d, n in zip(site, rows, strict=True)], 1
            ),
            site[0].scale,
        )
        for site in zip(*drawn, strict=True)
    ]


def _for_each_row(numbers: Array, rows: int) -> Array:
    return np.broadcast_to(numbers, (len(numbers), rows, *numbers.shape[2:]))
