"""Jobs: the work of requests, and the joint rows of several jobs in a batch."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.measures import BoundMeasure, Needs
from service.core.stopping import Rule
from service.core.summary import need_samples
from service.errors import InputError
from service.inference.looks import Found, Observer
from service.inference.runner import Draws, Rows, row_count
from service.inference.texts import max_letters, size_in_memory
from service.runtime.memory import mib

Array = NDArray[Any]


@dataclass(eq=False)
class Job(ABC):
    """Rows and the work on them; it ends with an answer or a fault.

    Attributes:
        rows: B rows.
        passes: P, at most.
        fault: the reason why the job must stop; None: it runs.
        left: rows × passes still to run, at most.
        row_bytes: memory of the rows.
    """

    rows: Rows
    passes: int
    fault: Exception | None = field(default=None, init=False)
    left: int = field(default=0, init=False)
    _rows_done: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.row_bytes = sum(map(size_in_memory, self.rows.values()))
        self.left = self.count * self.passes

    @property
    def count(self) -> int:
        """B."""
        return row_count(self.rows)

    @property
    def inner(self) -> int:
        """Samples of a row in each pass."""
        return 1

    @property
    def row_samples(self) -> int:
        """Samples of a row, at most."""
        return self.passes * self.inner

    @property
    def done(self) -> bool:
        """Whether all rows have had all passes."""
        return self._rows_done == self.count

    @property
    def passes_run(self) -> int:
        """Of the row with the most, when it is done."""
        return self.passes

    @property
    def samples_run(self) -> int:
        """Samples of all rows, when it is done."""
        return self.count * self.row_samples

    @property
    @abstractmethod
    def found_bytes(self) -> int:
        """Approximate memory of the intermediate results, in bytes."""

    def stop(self, fault: Exception) -> None:
        """Stop the job before its next chunk; the first fault is kept."""
        self.fault = self.fault or fault

    def restart(self) -> None:
        """Discard all results, so that the job can be run again."""
        self._rows_done = 0
        self.left = self.count * self.passes


@dataclass(eq=False)
class SampleJob(Job):
    """Stochastic forward passes, and the measures of their samples.

    Attributes:
        draws: what to draw.
        measures: in addition to mean and variance.
        kept_limit: maximum bytes of samples kept for the measures.
        rule: lets rows stop before they have had all passes.
        observer: is shown running estimates. After the last pass there is the answer instead.
        off: the pass with dropout off, if a measure needs it.
        found: of the rows that have stopped, in any order.
    """

    draws: Draws
    measures: tuple[BoundMeasure, ...] = ()
    kept_limit: float = math.inf
    rule: Rule | None = None
    observer: Observer | None = None
    off: "DeterministicJob | None" = field(default=None, init=False)
    found: list[Found] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(measure.needs is Needs.OFF for measure in self.measures):
            self.off = DeterministicJob(self.rows)

    @property
    def inner(self) -> int:
        """See `Job.inner`."""
        return self.draws.inner

    @property
    def found_bytes(self) -> int:
        """See `Job.found_bytes`."""
        return sum(summary.nbytes for part in self.found for summary in part.summaries.values())

    @property
    def passes_run(self) -> int:
        """See `Job.passes_run`."""
        return max((part.passes for part in self.found), default=0)

    @property
    def samples_run(self) -> int:
        """See `Job.samples_run`."""
        return sum(len(part.rows) * part.passes for part in self.found) * self.inner

    @property
    def tracked(self) -> tuple[BoundMeasure, ...]:
        """The measures whose states are needed."""
        return self.measures if self.rule is None else (*self.measures, *self.rule.measures)

    @property
    def needs_samples(self) -> bool:
        """Whether samples may not be reduced in the graph.

        That depends on the chunks by rounding, which may change what a rule decides. And the
        graph does not tell the samples of a pass apart.
        """
        return self.rule is not None or self.inner > 1 or need_samples(self.measures)

    @property
    def in_step(self) -> bool:
        """Whether all rows must have had the same passes at each look."""
        return self.observer is not None or (self.rule is not None and self.rule.together)

    def next_look(self, passes: int) -> int:
        """The first number above `passes` at which its rows are looked at; at most all passes."""
        stop = self.next_stop(passes)
        return stop if self.observer is None else min(stop, self.observer.next_look(passes))

    def next_stop(self, passes: int) -> int:
        """The same, of the looks at which rows may stop."""
        return self.passes if self.rule is None else min(self.passes, self.rule.next_look(passes))

    @property
    def repeats_masks(self) -> bool:
        """Whether its rows share masks, which a batch of several jobs has to repeat per row."""
        return self.count > 1 and self.draws.masks == "shared"

    @property
    def keeps_samples(self) -> bool:
        """Whether a measure needs all samples at the end."""
        return any(measure.needs is Needs.SAMPLES for measure in self.measures)

    def limit_kept(self, each: int) -> None:
        """Stop with an InputError if the samples that are kept to the end take too much.

        Args:
            each: bytes of a row's samples of one pass, of all outputs.
        """
        size = self.count * self.passes * each
        if size > self.kept_limit:
            kept = (measure for measure in self.measures if measure.needs is Needs.SAMPLES)
            names = list(dict.fromkeys(measure.name for measure in kept))
            self.stop(
                InputError(
                    f"measures names {names}, for which all samples are kept to the end: those of "
                    f"{self.count} rows × {self.passes} passes take {mib(size)} MiB, and a request "
                    f"may take {mib(int(self.kept_limit))}. Send fewer rows or passes at a time."
                )
            )

    def stop(self, fault: Exception) -> None:
        """See `Job.stop`."""
        super().stop(fault)
        if self.off is not None:
            self.off.stop(fault)

    def add(self, found: Found) -> None:
        """Store what there is of rows that stop."""
        self.found.append(found)
        self._rows_done += len(found.rows)
        self.left -= len(found.rows) * (self.passes - found.passes)

    def restart(self) -> None:
        """See `Job.restart`."""
        super().restart()
        self.found = []
        if self.off is not None:
            self.off.restart()

    def joins(self, other: "SampleJob") -> bool:
        """Whether both jobs may be in one batch.

        Their seeds and passes may differ, but not the other inputs of the graphs.
        """
        a, b = self.draws, other.draws
        alike = (a.rate_scale, a.sites, a.sampling) == (b.rate_scale, b.sites, b.sampling)
        return alike and a.inner == b.inner and self._row_shapes() == other._row_shapes()

    def _row_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes that rows must share so that each row takes the same memory."""
        return {name: (*x.shape[1:], max_letters(x)) for name, x in self.rows.items()}


@dataclass(eq=False)
class DeterministicJob(Job):
    """One pass with dropout off."""

    passes: int = field(default=1, init=False)
    _found: list[Mapping[str, Array]] = field(default_factory=list, init=False)

    @property
    def found_bytes(self) -> int:
        """See `Job.found_bytes`."""
        return sum(y.nbytes for block in self._found for y in block.values())

    def add(self, found: Mapping[str, Array], rows: int) -> None:
        """Store the outputs of the next `rows`."""
        self._found.append(found)
        self._rows_done += rows
        self.left -= rows

    def restart(self) -> None:
        """See `Job.restart`."""
        super().restart()
        self._found = []

    def outputs(self) -> dict[str, Array]:
        """Output name to (B, …)."""
        if len(self._found) > 1:
            names = self._found[0]
            self._found = [{n: np.concatenate([p[n] for p in self._found]) for n in names}]
        return dict(self._found[0])


def join_rows(jobs: Sequence[Job]) -> Rows:
    """The concatenated rows of all jobs."""
    if len(jobs) == 1:
        return jobs[0].rows
    return {name: np.concatenate([job.rows[name] for job in jobs]) for name in jobs[0].rows}
