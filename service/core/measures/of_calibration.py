"""What the measures that are made by a calibration have in common."""

from abc import abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

from service.core.calibration import Calibration
from service.core.measures.base import Measure, Sampled
from service.core.measures.facts import Facts
from service.core.measures.quantiles import is_level


class _Covers(Protocol):
    @property
    def coverage(self) -> float: ...

    @property
    def method(self) -> str: ...


R = TypeVar("R", bound=_Covers)


class OfCalibration(Measure):
    """A measure that only an output has to which something was fitted.

    Attributes:
        part: what has to be fitted, for messages.
    """

    part: ClassVar[str]

    @classmethod
    @abstractmethod
    def fitted(cls, calibration: Calibration) -> bool:
        """Whether it was."""

    @classmethod
    def lacks(cls, facts: Facts) -> str | None:
        """See `Measure.lacks`."""
        if facts.calibration is None:
            return facts.uncalibrated
        if not cls.fitted(facts.calibration):
            return f"the model's calibration has no {cls.part}"
        return super().lacks(facts)


@dataclass(frozen=True)
class Covering(OfCalibration):
    """A measure with a coverage and a method, of which there is a rule for each that was fitted.

    Attributes:
        coverage: the probability; None: that of the first rule with the method.
        method: of the rule; None: that of the first rule with the coverage.
    """

    coverage: float | None = None
    method: str | None = None

    methods: ClassVar[tuple[str, ...]]

    def __post_init__(self) -> None:
        """Check the arguments, as far as it is possible without the rules.

        Raises:
            InputError: the coverage is not a number, or the method unknown.
        """
        if self.coverage is not None and not is_level(self.coverage):
            raise self.refusal(f"coverage {self.coverage!r:.40}", "a number from 0 to 1")
        if self.method is not None and self.method not in self.methods:
            raise self.refusal(f"method {self.method!r:.40}", f"one of {[*self.methods]}")

    def rule_of(self, rules: Collection[R]) -> R:
        """The first rule with the coverage and the method.

        Raises:
            InputError: there is none; with those that there are.
        """
        for rule in rules:
            if self.coverage in (None, rule.coverage) and self.method in (None, rule.method):
                return rule
        given = {"coverage": self.coverage, "method": self.method}
        asked = " and ".join(f"{name} {one}" for name, one in given.items() if one is not None)
        known = ", ".join(f"{rule.method} {rule.coverage:g}" for rule in rules)
        raise self.refusal(asked, f"one of the model's calibration: {known}")


def calibration_of(found: Sampled) -> Calibration:
    """The calibration of the output that a measure of one sees."""
    if found.calibration is None:
        raise ValueError("an output without calibration lacks the measure")
    return found.calibration
