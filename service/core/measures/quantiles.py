"""Quantiles of an output over the passes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.core.by_element import by_element
from service.core.measures.base import Array, Measure, Needs, Sampled
from service.core.measures.facts import Shape


@dataclass(frozen=True)
class Quantiles(Measure):
    """Quantiles of each element over the passes.

    By linear interpolation between the two samples next to level·(P - 1), the first being the
    smallest (Hyndman & Fan 1996, definition 7).

    Attributes:
        levels: one or several, from 0 to 1.
    """

    levels: Sequence[float] = (0.05, 0.5, 0.95)

    name = "quantiles"
    unit = "output"
    needs = Needs.SAMPLES

    def __post_init__(self) -> None:
        """Accept a single level as a list of one.

        Raises:
            InputError: a level is not a number from 0 to 1.
        """
        given: Any = self.levels
        levels = tuple(given) if isinstance(given, list | tuple) else (given,)
        if not levels or not all(is_level(level) for level in levels):
            raise self.refusal(f"levels {given!r:.40}", "numbers from 0 to 1")
        object.__setattr__(self, "levels", tuple(map(float, levels)))

    def shape(self, output: Shape) -> Shape:
        """(B, …, L), a quantile of each level for each element."""
        return (*output, len(self.levels))

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        return quantiles(found, self.levels)


def quantiles(found: Sampled, levels: Sequence[float]) -> Array:
    """(B, …, L) float64, of an output whose samples are there."""
    if found.samples is None:
        raise ValueError("quantiles are made from all samples")
    return by_element(lambda x: np.quantile(x, levels, axis=0).T, found.samples)


def is_level(level: Any) -> bool:
    """Whether an argument is a number from 0 to 1."""
    return isinstance(level, int | float) and not isinstance(level, bool) and 0 <= level <= 1
