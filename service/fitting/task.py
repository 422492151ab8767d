"""The interface of what is fitted by task."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from service.calibration.document import IntervalSpec, SetSpec
from service.core.measures.facts import Facts
from service.fitting.asked import Asked
from service.fitting.seen import Seen
from service.protocol.options import AskedMeasure

Array = NDArray[Any]


@dataclass(frozen=True)
class Scaling:
    """What is fitted to the first half of the data.

    Attributes:
        temperature: of class probabilities; None: not of a classification.
        noise_precision: of a regression; None: not fitted.
        notes: about it, for people.
    """

    temperature: float | None = None
    noise_precision: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """Rules for prediction sets and intervals.

    Attributes:
        sets: of a classification.
        intervals: of a regression.
        metrics: name to number, on rows that did not choose the rule's threshold.
    """

    sets: tuple[SetSpec, ...] = ()
    intervals: tuple[IntervalSpec, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)


class TaskFit(ABC):
    """What is fitted to the predictions of one output.

    Attributes:
        facts: of the output, before anything was fitted.
        asked: what to fit.
        methods: of its prediction sets or intervals.
    """

    methods: tuple[str, ...]

    def __init__(self, facts: Facts, asked: Asked) -> None:
        self.facts, self.asked = facts, asked

    def names(self, metrics: Iterable[str], coverage: float, method: str) -> list[str]:
        """Names of metrics of a rule; those of the first method are named without it."""
        end = "" if method == self.methods[0] else f"_{method}"
        return [f"{metric}_{coverage:g}{end}" for metric in metrics]

    @property
    def first_measures(self) -> Sequence[str]:
        """Measures that `losses` and `scaling` read."""
        return ()

    @abstractmethod
    def losses(self, rows: Seen) -> Array:
        """(N,) negative log-likelihood of each row with the scaling that fits them best."""

    @abstractmethod
    def scaling(self, rows: Seen) -> Scaling:
        """What fits the rows best."""

    @abstractmethod
    def certainty(self, facts: Facts) -> str:
        """The measure that accepts by default, and that drift is measured from.

        Args:
            facts: of the output, with what was fitted.
        """

    def base(self, coverage: float, facts: Facts) -> AskedMeasure | None:
        """The measure that a rule is based on, if a request can only have that of one coverage."""
        return None

    @abstractmethod
    def rules(self, rows: Seen, facts: Facts, bases: Mapping[float, Array]) -> Rules:
        """Rules of all methods and coverages.

        Args:
            rows: that chose nothing.
            facts: of the output, with what was fitted to other rows.
            bases: coverage to the values of `base`.

        Raises:
            InputError: there are too few rows for a coverage.
        """

    @abstractmethod
    def wrong(self, rows: Seen) -> Array:
        """(N,) bool, whether the prediction of each row is wrong, or any of several.

        Raises:
            InputError: that is not known.
        """

    @abstractmethod
    def metrics(self, rows: Seen, facts: Facts) -> Mapping[str, float]:
        """Metrics of rows that chose nothing; name to number.

        Args:
            rows: predictions of these.
            facts: of the output, before or after something was fitted.
        """
