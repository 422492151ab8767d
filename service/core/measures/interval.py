"""Central interval of an output over the passes."""

from dataclasses import dataclass
from typing import Any

from service.core.measures.base import Array, Measure, Needs, Sampled
from service.core.measures.facts import Shape
from service.core.measures.quantiles import is_level, quantiles


@dataclass(frozen=True)
class Interval(Measure):
    """Central interval of each element, which holds a given share of the passes.

    The quantiles at (1 - level)/2 and (1 + level)/2 (see `quantiles`). It is an interval of the
    model's output, from epistemic uncertainty alone; an observation also has noise (see
    `predictive_interval`). If all passes agree, both ends are their value.

    Attributes:
        level: the share, from 0 to 1.
    """

    level: float = 0.9

    name = "interval"
    unit = "output"
    needs = Needs.SAMPLES

    def __post_init__(self) -> None:
        """Check the level.

        Raises:
            InputError: it is not a number from 0 to 1.
        """
        if not is_level(self.level):
            raise self.refusal(f"level {self.level!r:.40}", "a number from 0 to 1")
        object.__setattr__(self, "level", float(self.level))

    def shape(self, output: Shape) -> Shape:
        """(B, …, 2), the lower and the upper end for each element."""
        return (*output, 2)

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        return quantiles(found, central(self.level))


def central(level: float) -> tuple[float, float]:
    """The levels of the two quantiles that have a share of the distribution between them."""
    return (1 - level) / 2, (1 + level) / 2
