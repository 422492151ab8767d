"""What a request wants run, and how the passes of several are drawn as one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.summary import Summary
from service.runner import Draws, Rows, SiteDraw, row_count

Array = NDArray[Any]


@dataclass(eq=False)
class Job:
    """Rows, and the passes to run over them; it comes to an answer or to a fault.

    Attributes:
        rows: B of them.
        passes: P.
        draws: what to draw. None: one pass with dropout off.
        with_entropy: see `Summary`.
        fault: why it is not to be run any further.
    """

    rows: Rows
    passes: int
    draws: Draws | None
    with_entropy: bool = False
    fault: Exception | None = None
    _found: list[Mapping[str, Any]] = field(default_factory=list)
    _rows_done: int = 0

    @property
    def count(self) -> int:
        """B."""
        return row_count(self.rows)

    @property
    def done(self) -> bool:
        """Whether all rows have had all passes."""
        return self._rows_done == self.count

    def stop(self, fault: Exception) -> None:
        """Let no further chunk of it begin; the first fault stays."""
        self.fault = self.fault or fault

    def add(self, found: Mapping[str, Any], rows: int) -> None:
        """Take what the next `rows` came to: output name to their summary, or their output."""
        self._found.append(found)
        self._rows_done += rows

    def restart(self) -> None:
        """Forget what was found."""
        self._found, self._rows_done = [], 0

    @property
    def found_bytes(self) -> int:
        """About how many bytes its answer has, as far as it was found."""
        values = (value for part in self._found for value in part.values())
        return sum(
            2 * v.moments.mean.nbytes if isinstance(v, Summary) else int(v.nbytes) for v in values
        )

    def summaries(self) -> dict[str, Summary]:
        """Output name to the summary of (P, B, …) samples."""
        return {name: Summary.stack([p[name] for p in self._found]) for name in self._found[0]}

    def outputs(self) -> dict[str, Array]:
        """Output name to (B, …), with dropout off."""
        return {name: np.concatenate([p[name] for p in self._found]) for name in self._found[0]}

    def joins(self, other: "Job") -> bool:
        """Whether both may go through the graphs together.

        What is drawn may differ, and how often; what the graphs are fed beside may not.
        """
        a, b = self.draws, other.draws
        if a is None or b is None:
            return False
        alike = a.rate_scale == b.rate_scale and a.sites == b.sites
        return alike and self._row_shapes() == other._row_shapes()

    def _row_shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: x.shape[1:] for name, x in self.rows.items()}


@dataclass(frozen=True)
class Part:
    """The rows of one job in a block of rows that run together.

    Attributes:
        job: whose they are.
        draws: the job's.
        first: index in the job of the first of them.
        rows: how many run.
        real: how many of them count; the rest fill up.
    """

    job: Job
    draws: Draws
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
