"""What to fit."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, get_args

from service.core.calibration import IntervalMethod, SetMethod
from service.errors import InputError
from service.protocol.options import Masks, Options


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What to fit, besides a temperature or a noise precision.

    Attributes:
        coverages: of prediction sets and intervals; the first is the default of requests.
        sets: methods of prediction sets, likewise; one may be given by itself. None: all that the
            task has, aps and lac, or lac of a multi-label classification.
        intervals: methods of prediction intervals, likewise. None: normalized and absolute; cqr
            takes a further run for each coverage.
        rate_scale: whether to fit a factor of the dropout rates; it runs the model a dozen times.
        target_risk: maximum share of errors among accepted answers; None: see `coverage`.
        coverage: share of answers to accept; None: without `target_risk`, none is chosen.
        confidence: of the guarantee that the risk is at most `target_risk`.
        measure: that accepts; None: predictive_entropy, or of a regression total or std.
        error_tolerance: absolute error above which a prediction of a regression is wrong.
        masks: of the rows that calibrate; None: per_row, or shared if the model does not allow it.
        options: how the model is sampled, without a seed with 0; its `measures` and `masks` are
            not used.

    Raises:
        InputError: a value is out of range, or two exclude each other.
    """

    coverages: tuple[float, ...] = (0.9, 0.95)
    sets: tuple[SetMethod, ...] | None = None
    intervals: tuple[IntervalMethod, ...] | None = None
    rate_scale: bool = False
    target_risk: float | None = None
    coverage: float | None = None
    confidence: float = 0.95
    measure: str | None = None
    error_tolerance: float | None = None
    masks: Masks | None = None
    options: Options = Options()

    def __post_init__(self) -> None:
        """Check the values."""
        object.__setattr__(self, "coverages", _each_once("coverages", self.coverages))
        for name, known in (("sets", get_args(SetMethod)), ("intervals", get_args(IntervalMethod))):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, _methods(name, given, known))
        if self.options.seed is None:
            object.__setattr__(self, "options", replace(self.options, seed=0))
        shares = {f"coverages has {c:g}": c for c in self.coverages}
        for name in ("target_risk", "coverage", "confidence"):
            if (value := getattr(self, name)) is not None:
                shares[f"{name} is {value:g}"] = value
        for said, value in shares.items():
            if not 0 < value < 1:
                raise InputError(f"{said}; it must be above 0 and below 1.")
        if self.target_risk is not None and self.coverage is not None:
            raise InputError("target_risk and coverage are both given; a threshold is for one.")
        if self.measure is not None and not self.selects:
            raise InputError("measure is given without target_risk or coverage; give one of them.")
        if self.options.adaptive is not None:
            raise InputError("passes is a stopping rule; give a number of passes.")

    @property
    def selects(self) -> bool:
        """Whether a threshold is chosen."""
        return self.target_risk is not None or self.coverage is not None


def _methods(name: str, given: str | Iterable[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """Names of methods, of which one may be given by itself."""
    found = _each_once(name, (given,) if isinstance(given, str) else given)
    unknown = [one for one in found if one not in known]
    if unknown or not found:
        has = f"has {unknown[0]!r:.40}" if unknown else "has none"
        raise InputError(f"{name} {has}; the methods are {', '.join(known)}.")
    return found


def _each_once(name: str, given: Iterable[Any]) -> tuple[Any, ...]:
    found = tuple(given)
    if len(set(found)) < len(found):
        raise InputError(f"{name} has one twice: {[*found]}.")
    return found
