"""Looks at a job while it runs, on a fixed grid of pass numbers: stopping rules, observers.

How many passes run at a time depends on the speed of the machine and on the other jobs of a batch.
Nothing that a client sees may depend on it, so jobs are looked at on their grids alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from service.core.measures.bound import Source
from service.core.summary import Summary
from service.protocol.prediction import Stopped

Array = NDArray[Any]


@dataclass(frozen=True)
class Found:
    """Summaries of some rows of a job, which have had the same passes.

    Attributes:
        rows: (R,) their indices in the job.
        passes: that they have had.
        settled: (R,) whether the job's stopping rule was met; True without one.
        summaries: of each source of samples.
    """

    rows: NDArray[np.intp]
    passes: int
    settled: NDArray[np.bool_]
    summaries: Mapping[Source, Summary]


def in_order(found: Sequence[Found], values: Callable[[Found], Array]) -> Array:
    """(B, …) values of all rows, from (R, …) of those of each part.

    Where values have an axis of passes, those of rows with fewer passes end with NaN.
    """
    if len(found) == 1:
        return values(found[0])
    joined = np.concatenate(_of_one_length([values(part) for part in found]))
    ordered = np.empty_like(joined)
    ordered[np.concatenate([part.rows for part in found])] = joined
    return ordered


def _of_one_length(parts: Sequence[Array]) -> Sequence[Array]:
    """(R, P, …) values, with NaN behind those of fewer passes."""
    if len({y.shape[1:] for y in parts}) == 1:
        return parts
    longest = max(y.shape[1] for y in parts)
    ends = [[(0, 0), (0, longest - y.shape[1]), *[(0, 0)] * (y.ndim - 2)] for y in parts]
    return [np.pad(y, end, constant_values=np.nan) for y, end in zip(parts, ends, strict=True)]


def stopped_rows(found: Sequence[Found]) -> Stopped:
    """Passes of each row, by a stopping rule."""
    passes = in_order(found, lambda part: np.full(len(part.rows), part.passes))
    return Stopped(passes, in_order(found, lambda part: part.settled))


class Look(Protocol):
    """Looks at a job after certain numbers of passes, its grid, at which chunks end."""

    def next_look(self, passes: int) -> int:
        """The first number of the grid above `passes`; any above the job's if there is none."""


class Observer(Look, Protocol):
    """Is shown what there is of all rows of a job while it runs."""

    def show(self, passes: int, found: Sequence[Found]) -> None:
        """Called by the thread that runs the job. It must not raise.

        If the job has to start again, the same numbers of passes follow again.

        Args:
            passes: of the rows that go on.
            found: of all rows; those that have stopped have had fewer passes.
        """
