"""Jobs: the work of requests, and the joint draws of several jobs in a batch."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.distributions import SiteDraw
from service.core.measures import BoundMeasure, Needs
from service.core.measures.bound import Source
from service.core.summary import Summary
from service.errors import InputError
from service.inference.runner import Draws, Rows, row_count
from service.inference.texts import max_letters, size_in_memory
from service.runtime.memory import mib

Array = NDArray[Any]


@dataclass(eq=False)
class Job(ABC):
    """Rows and the work on them; it ends with an answer or a fault.

    Attributes:
        rows: B rows.
        passes: P.
        fault: the reason why the job must stop; None: it runs.
        row_bytes: memory of the rows.
    """

    rows: Rows
    passes: int
    fault: Exception | None = field(default=None, init=False)
    _rows_done: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.row_bytes = sum(map(size_in_memory, self.rows.values()))

    @property
    def count(self) -> int:
        """B."""
        return row_count(self.rows)

    @property
    def done(self) -> bool:
        """Whether all rows have had all passes."""
        return self._rows_done == self.count

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


@dataclass(eq=False)
class SampleJob(Job):
    """Stochastic forward passes, and the measures of their samples.

    Attributes:
        draws: what to draw.
        measures: in addition to mean and variance.
        kept_limit: maximum bytes of samples kept for the measures.
        off: the pass with dropout off, if a measure needs it.
        found: for each finished block of rows, the summary of each source.
    """

    draws: Draws
    measures: tuple[BoundMeasure, ...] = ()
    kept_limit: float = math.inf
    off: "DeterministicJob | None" = field(default=None, init=False)
    found: list[Mapping[Source, Summary]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(measure.needs is Needs.OFF for measure in self.measures):
            self.off = DeterministicJob(self.rows)

    @property
    def found_bytes(self) -> int:
        """See `Job.found_bytes`."""
        return sum(summary.nbytes for block in self.found for summary in block.values())

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
            each: bytes of one sample, of all outputs.
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

    def add(self, found: Mapping[Source, Summary], rows: int) -> None:
        """Store the summary of the next `rows`."""
        self.found.append(found)
        self._rows_done += rows

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
        alike = a.rate_scale == b.rate_scale and a.sites == b.sites
        return alike and self._row_shapes() == other._row_shapes()

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


@dataclass(frozen=True)
class Part:
    """The rows of one job in a block of rows that run together.

    Attributes:
        job: of the rows.
        first: index of the first row in the job.
        rows: number of rows that run.
        real: number of rows that count; the others are padding.
    """

    job: SampleJob
    first: int
    rows: int
    real: int


def join_rows(jobs: Sequence[Job]) -> Rows:
    """The concatenated rows of all jobs."""
    if len(jobs) == 1:
        return jobs[0].rows
    return {name: np.concatenate([job.rows[name] for job in jobs]) for name in jobs[0].rows}


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
