"""Blocks of rows that run together, and the rows of each job in them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.distributions import SiteDraw
from service.core.measures.bound import Source, with_noise
from service.core.moments import Moments
from service.core.summary import Merged, Running, constant
from service.inference.jobs import SampleJob
from service.inference.looks import Found, Look
from service.inference.runner import Frontier, Rows

Array = NDArray[Any]


@dataclass
class Part:
    """The rows of one job in a block.

    Attributes:
        job: of the rows.
        rows: (R,) their indices in the job.
        live: (R,) whether each still needs passes; the others are padding.
    """

    job: SampleJob
    rows: NDArray[np.intp]
    live: NDArray[np.bool_]

    @classmethod
    def of(cls, job: SampleJob, rows: range, real: int | None = None) -> "Part":
        """Consecutive rows, of which the first `real` are live; by default all."""
        index = np.arange(rows.start, rows.stop)
        return cls(job, index, index < rows.start + (len(rows) if real is None else real))


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
    """

    rows: Rows
    parts: list[Part]
    shrinks: bool = True
    frontier: Frontier | None = None
    fixed: Mapping[str, Array] = field(default_factory=dict)
    passes: int = 0
    found: Mapping[Source, Running | Merged] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """B."""
        return sum(len(part.rows) for part in self.parts)

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
        return min(part.job.next_look(self.passes) for part in self.parts)

    @property
    def needs_samples(self) -> bool:
        """Whether samples may not be reduced in the graph."""
        return any(part.job.needs_samples for part in self.parts)

    @property
    def held(self) -> int:
        """Bytes of the frontier."""
        return 0 if self.frontier is None else self.frontier.nbytes

    def add(
        self, passes: int, samples: Mapping[str, Array], reduced: Mapping[str, Moments]
    ) -> None:
        """Add passes.

        Args:
            passes: how many, P.
            samples: output name to (P·J, B, …), J being `inner`.
            reduced: of further outputs, their moments over these passes.
        """
        measures = tuple(dict.fromkeys(m for part in self.parts for m in part.job.tracked))
        found = dict[Source, Running | Merged]()
        for source, y in with_noise(samples, measures).items():
            before = self.found.get(source)
            if not isinstance(before, Running):
                kind = {"block": self.coupled, "inner": self.inner}
                before = Running.start(source, y, measures, **kind)
            found[source] = before.add(y)
        for name, chunk in reduced.items():
            merged = self.found.get(name)
            if not isinstance(merged, Merged):
                merged = Merged.start(chunk, self.coupled)
            found[name] = merged.add(chunk)
        each = sum(one.kept_bytes for one in found.values()) // (passes * self.count)
        for part in self.parts:
            if not self.passes:
                part.job.limit_kept(each)
            part.job.left -= passes * int(np.count_nonzero(part.live))
        self.found, self.passes = found, self.passes + passes

    def drop_rows(self) -> bool:
        """Drop the rows that have stopped, and those of jobs with a fault; whether any is left."""
        for part in self.parts:
            if part.job.fault is not None:
                part.live[:] = False
        # Runs before each chunk: counting costs a tenth of any() and all().
        live = sum(np.count_nonzero(part.live) for part in self.parts)
        if not live:
            self.parts = []
        elif self.shrinks and live < self.count:
            self._take(np.flatnonzero(np.concatenate([part.live for part in self.parts])))
        return bool(self.parts)

    def _take(self, index: NDArray[np.intp]) -> None:
        self.rows = {name: x[index] for name, x in self.rows.items()}
        self.frontier = self.frontier and self.frontier.take(index)
        self.fixed = {name: y[index] for name, y in self.fixed.items()}
        self.found = {source: running.rows(index) for source, running in self.found.items()}
        self.parts = [
            Part(part.job, part.rows[part.live], part.live[part.live])
            for part in self.parts
            if part.live.any()
        ]


@dataclass(frozen=True)
class _View:
    """The live rows of a part, the first of whose rows is row `first` of its block."""

    block: Block
    part: Part
    first: int

    def settled(self) -> NDArray[np.bool_]:
        """(R,) whether the rule of the job is met, for each live row."""
        where, rule = self._where, self.part.job.rule
        if rule is None:
            return np.ones(len(where), np.bool_)
        found = self._found(where).items()
        return rule.settled({source: one for source, one in found if isinstance(one, Running)})

    def stop(self, some: NDArray[np.bool_], settled: NDArray[np.bool_]) -> None:
        """Store what there is of some live rows, which stop."""
        self.part.job.add(self._take(some, settled))
        self.part.live[np.flatnonzero(self.part.live)[some]] = False

    def going(self) -> Found:
        """What there is of the live rows."""
        count = np.count_nonzero(self.part.live)
        return self._take(np.ones(count, np.bool_), np.zeros(count, np.bool_))

    def _take(self, some: NDArray[np.bool_], settled: NDArray[np.bool_]) -> Found:
        block, job, where = self.block, self.part.job, self._where[some]
        rows = self.part.rows[where - self.first]
        summaries = {source: one.summary() for source, one in self._found(where).items()}
        fixed = {name: y[where] for name, y in block.fixed.items()}
        for source, y in with_noise(fixed, job.measures).items():
            summaries[source] = constant(source, y, block.passes, job.measures, job.inner)
        off = {} if job.off is None else job.off.outputs()
        for name, y in off.items():
            summaries[name] = replace(summaries[name], off=y[rows])
        return Found(rows, block.passes, settled[some], summaries)

    @property
    def _where(self) -> NDArray[np.intp]:
        return self.first + np.flatnonzero(self.part.live)

    def _found(self, where: NDArray[np.intp]) -> Mapping[Source, Running | Merged]:
        found = self.block.found
        if len(where) == self.block.count:
            return found
        return {source: running.rows(where) for source, running in found.items()}


def look_at(blocks: Sequence[Block]) -> None:
    """Let the rows stop that need no more passes, and show the state of all to observers.

    Args:
        blocks: which have had the same passes; all that are left of their jobs.
    """
    passes, views = blocks[0].passes, [view for block in blocks for view in _views(block)]
    for job in dict.fromkeys(view.part.job for view in views):
        own = [view for view in views if view.part.job is job]
        if passes == job.passes or _on_grid(job.rule, passes):
            _stop_rows(own, last=passes == job.passes)
        if job.observer and not job.done and _on_grid(job.observer, passes):
            job.observer.show(passes, [*job.found, *(view.going() for view in own)])


def _views(block: Block) -> Iterator[_View]:
    first = 0
    for part in block.parts:
        yield _View(block, part, first)
        first += len(part.rows)


def _on_grid(look: Look | None, passes: int) -> bool:
    return look is not None and look.next_look(passes - 1) == passes


def _stop_rows(views: Sequence[_View], last: bool) -> None:
    """Of one job."""
    rule, settled = views[0].part.job.rule, [view.settled() for view in views]
    if rule is not None and rule.together and not all(rows.all() for rows in settled):
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
