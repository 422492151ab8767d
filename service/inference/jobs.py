"""What a request wants run, and how the passes of several are drawn as one."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.distributions import SiteDraw
from service.core.measures import Measure, Needs
from service.core.summary import Summary
from service.errors import InputError
from service.inference.runner import Draws, Rows, row_count
from service.inference.texts import most_letters, size_in_memory
from service.runtime.memory import mib

Array = NDArray[Any]


@dataclass(eq=False)
class Job(ABC):
    """Rows, and what to run over them; it comes to an answer or to a fault.

    Attributes:
        rows: B of them.
        passes: P.
        fault: why it is not to be run any further.
        row_bytes: that the rows take in memory.
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
        """About how many bytes its answer is made from, as far as it was found."""

    def stop(self, fault: Exception) -> None:
        """Let no further chunk of it begin; the first fault stays."""
        self.fault = self.fault or fault

    def restart(self) -> None:
        """Forget what was found."""
        self._rows_done = 0


@dataclass(eq=False)
class SampleJob(Job):
    """Stochastic passes, and what is to be made of their samples.

    Attributes:
        draws: what to draw.
        measures: beside mean and variance.
        kept_limit: maximum bytes of the samples that these need at the end.
        found: of each block of rows that is done, output name to summary.
    """

    draws: Draws
    measures: tuple[Measure, ...] = ()
    kept_limit: float = math.inf
    found: list[Mapping[str, Summary]] = field(default_factory=list, init=False)

    @property
    def found_bytes(self) -> int:
        """See `Job.found_bytes`."""
        return sum(summary.nbytes for block in self.found for summary in block.values())

    @property
    def repeats_masks(self) -> bool:
        """Whether its rows share masks, which a batch of several jobs has to repeat for each."""
        return self.count > 1 and self.draws.masks == "shared"

    def limit_kept(self, each: int) -> None:
        """Stop with an InputError if the samples that are kept to the end take too much.

        Args:
            each: bytes of one sample, of all outputs.
        """
        size = self.count * self.passes * each
        if size > self.kept_limit:
            names = [measure.name for measure in self.measures if measure.needs is Needs.SAMPLES]
            self.stop(
                InputError(
                    f"measures names {names}, for which all samples are kept to the end: those of "
                    f"{self.count} rows × {self.passes} passes take {mib(size)} MiB, and a request "
                    f"may take {mib(int(self.kept_limit))}. Send fewer rows or passes at a time."
                )
            )

    def add(self, found: Mapping[str, Summary], rows: int) -> None:
        """Take what the samples of the next `rows` say."""
        self.found.append(found)
        self._rows_done += rows

    def restart(self) -> None:
        """See `Job.restart`."""
        super().restart()
        self.found = []

    def joins(self, other: "SampleJob") -> bool:
        """Whether both may go through the graphs together.

        What is drawn may differ, and how often; what the graphs are fed beside may not.
        """
        a, b = self.draws, other.draws
        alike = a.rate_scale == b.rate_scale and a.sites == b.sites
        return alike and self._row_shapes() == other._row_shapes()

    def _row_shapes(self) -> dict[str, tuple[int, ...]]:
        """What rows have to have in common so that a row of each takes the same."""
        return {name: (*x.shape[1:], most_letters(x)) for name, x in self.rows.items()}


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
        """Take the outputs of the next `rows`."""
        self._found.append(found)
        self._rows_done += rows

    def restart(self) -> None:
        """See `Job.restart`."""
        super().restart()
        self._found = []

    def outputs(self) -> dict[str, Array]:
        """Output name to (B, …)."""
        return {name: np.concatenate([p[name] for p in self._found]) for name in self._found[0]}


@dataclass(frozen=True)
class Part:
    """The rows of one job in a block of rows that run together.

    Attributes:
        job: whose they are.
        first: index in the job of the first of them.
        rows: how many run.
        real: how many of them count; the rest fill up.
    """

    job: SampleJob
    first: int
    rows: int
    real: int


def join_rows(jobs: Sequence[Job]) -> Rows:
    """The rows of all jobs, one job's after the other's."""
    if len(jobs) == 1:
        return jobs[0].rows
    return {name: np.concatenate([job.rows[name] for job in jobs]) for name in jobs[0].rows}


def join_draws(drawn: Sequence[Sequence[SiteDraw]], rows: Sequence[int]) -> Sequence[SiteDraw]:
    """The draws of several parts as those of one block.

    Args:
        drawn: of each part, the draws of each site: (P, R, …), R being 1 or the part's rows.
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
