"""Predictions of labeled rows, as what is fitted sees them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.measures.facts import Facts
from service.protocol.prediction import OutputPrediction

Array = NDArray[Any]
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Seen:
    """Predictions of N labeled rows.

    Attributes:
        mean: (N, …) of the output as its task sees it (see `Facts.view`), float64.
        variance: (N, …) over passes, of the same.
        measures: name to (N, …).
        targets: (N, …), see `Labeled`.
    """

    mean: Array
    variance: Array
    measures: Mapping[str, Array]
    targets: Array

    def __len__(self) -> int:
        """N."""
        return len(self.targets)

    def take(self, index: Index) -> "Seen":
        """Some of the rows."""
        measures = {name: values[index] for name, values in self.measures.items()}
        return Seen(self.mean[index], self.variance[index], measures, self.targets[index])


def seen(found: OutputPrediction, targets: Array, facts: Facts) -> Seen:
    """Predictions of the output that `targets` are of."""
    view = facts.view
    mean, variance = found.mean, found.variance
    if view is not None:
        mean, variance = view.array(mean), view.array(variance)
    return Seen(mean, variance, found.measures, targets)


def halves(rows: int) -> tuple[Index, Index]:
    """Indices of two random halves of rows, in random order; always the same.

    Of an odd number of rows the second half has one more.
    """
    order = np.random.default_rng(rows).permutation(rows)
    return order[: rows // 2], order[rows // 2 :]
