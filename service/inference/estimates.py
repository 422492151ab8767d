"""Running estimates of a job: what its answer would be with fewer passes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.inference.looks import Found
from service.inference.sizes import Sizes
from service.inference.speed import Speed

#: Passes of the first estimate.
_FIRST = 32
#: Seconds of a step, by which an estimate may come later than its passes have run.
_UNNOTICED = 0.025


@dataclass(frozen=True)
class Doubling:
    """An observer of a job after 32, 64, 128 … passes.

    There are few estimates, so they cost little, and the variance of the mean halves from each
    to the next.

    Attributes:
        give: is called with what there is of all rows, by the thread that runs the job.
    """

    give: Callable[[Sequence[Found]], None]

    def next_look(self, passes: int) -> int:
        """See `Look`: the next power of two."""
        return max(_FIRST, 1 << passes.bit_length())

    def show(self, passes: int, found: Sequence[Found]) -> None:
        """See `Observer`."""
        self.give(found)


@dataclass(frozen=True)
class Brief:
    """The pace of a stream (see `Pace`): estimates come soon after their passes.

    Attributes:
        speed: of the model.
    """

    speed: Speed

    def rows(self, sizes: Sizes) -> int:
        """Any number."""
        return sizes.rows

    def samples(self, sizes: Sizes) -> int:
        """As many as run unnoticed; before the first step, those of the first estimate."""
        known = self.speed.known
        return self.speed.samples_in(sizes, _UNNOTICED) if known else sizes.work(1, _FIRST)
