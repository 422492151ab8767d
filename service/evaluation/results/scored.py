"""The scores of a setting, and statistics of its rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.calibration.document import SelectionSpec
from service.core.measures import MEASURES
from service.evaluation.bootstrap import Estimated
from service.evaluation.document import Setting
from service.evaluation.metrics.statistic import Statistic, reweighted
from service.evaluation.scores import Scores

Array = NDArray[Any]
#: Setting, family, and names in it.
Key: TypeAlias = tuple[str | float, ...]
Statistics: TypeAlias = dict[Key, Statistic]
#: Estimates of one setting, without its name in the keys.
Own: TypeAlias = Mapping[Key, Estimated]


@dataclass(frozen=True, eq=False)
class Others:
    """What a setting says of B' rows out of distribution.

    Attributes:
        measures: name to (B', E) values.
        accepted: (B', 1) whether each is accepted; None: the setting accepts none by itself.
    """

    measures: Mapping[str, Array]
    accepted: Array | None = None


@dataclass(frozen=True, eq=False)
class Scored:
    """The scores of a setting.

    Attributes:
        setting: of the passes.
        scores: of the rows with targets.
        others: of rows out of distribution; None: there are none.
        has_density: whether the prediction of a regression is a distribution, not a number.
        selection: how answers are accepted; None: all are.
    """

    setting: Setting
    scores: Scores
    others: Others | None = None
    has_density: bool = True
    selection: SelectionSpec | None = None

    @property
    def is_classification(self) -> bool:
        """Whether predictions are right or wrong."""
        return "wrong" in self.scores.losses

    @property
    def elements(self) -> int:
        """E."""
        return int(self.scores.losses["nll"].shape[1])

    @property
    def rows(self) -> int:
        """B."""
        return len(self.scores.losses["nll"])

    @property
    def risk(self) -> Array:
        """(N,) loss of each element: whether it is wrong, or its absolute error."""
        return self.scores.losses["wrong" if self.is_classification else "absolute"].ravel()

    def measures(self) -> list[tuple[str, Array]]:
        """Name and (N,) uncertainty of the measures that are not the same for all rows."""
        found = self.scores.measures.items()
        return [(name, uncertainty(name, y)) for name, y in found if np.ptp(y) > 0]

    def each(self, statistic: Statistic, elements: int | None = None) -> Statistic:
        """A statistic of B × E elements as one of rows: each counts as often as its row."""
        each = self.elements if elements is None else elements
        return (
            statistic if each == 1 else reweighted(statistic, lambda w: np.repeat(w, each, axis=0))
        )

    def own(self, found: Statistics) -> Statistics:
        """With the setting in their keys, of the rows with targets alone; these come first."""
        return {(self.setting.name, *key): self._of_targets(one) for key, one in found.items()}

    def _of_targets(self, statistic: Statistic) -> Statistic:
        count = self.rows
        return reweighted(statistic, lambda weights: weights[:count])


def uncertainty(name: str, values: Array) -> Array:
    """(N,) values of a measure, such that higher ones are less certain."""
    return -values.ravel() if MEASURES[name].certain == "high" else values.ravel()


def of_rows(values: Array) -> Array:
    """(B,) means of (B, E) values."""
    return np.asarray(values.mean(axis=1))
