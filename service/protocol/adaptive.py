"""Passes by a stopping rule: its fields, as an object and as text.

The object {"max": 2000, "tolerance": 0.01} is the text max=2000,tolerance=0.01. In text the fields
of `decide` stand beside the others: max=2000,decide=predictive_entropy,threshold=0.5.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, TypeAlias, get_args

#: Whether each row stops by itself, or all rows together, when the last one may.
StopRows: TypeAlias = Literal["each", "together"]
STOP_ROWS: tuple[StopRows, ...] = get_args(StopRows)

#: The decisions without a threshold: of the class, and by the threshold of the calibration.
PREDICTED_CLASS, ACCEPT = "predicted_class", "accept"
_WITHOUT_THRESHOLD = (PREDICTED_CLASS, ACCEPT)

EXAMPLE = '{"max": 2000, "tolerance": 0.01}'
EXAMPLE_TEXT = "max=2000,tolerance=0.01"


def _says(description: str) -> dict[str, str]:
    """The metadata of a field."""
    return {"description": description}


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What has to be settled: the predicted class, or on which side of a threshold a measure is.

    Raises:
        ValueError: with the field, its value and the valid values.
    """

    PLACE: ClassVar[str] = "passes.decide"

    measure: str = field(
        metadata=_says(
            '"predicted_class", "accept", "mean", or a measure computed from mean and variance'
        )
    )
    threshold: float | None = field(
        default=None, metadata=_says("of the measure; none for the predicted class and accept")
    )
    confidence: float = field(
        default=0.95, metadata=_says("of the decision for a row, from 0.5 to below 1")
    )

    def __post_init__(self) -> None:
        """Check the fields."""
        has_none = self.measure in _WITHOUT_THRESHOLD
        _require(self, "measure", isinstance(self.measure, str), "a name")
        _require(self, "confidence", _is_number(self.confidence), "a number")
        _require(self, "confidence", 0.5 <= self.confidence < 1, "from 0.5 to below 1")
        left_out = not has_none or self.threshold is None
        for_what = "a class" if self.measure == PREDICTED_CLASS else repr(self.measure)
        _require(self, "threshold", left_out, f"left out for {for_what}")
        has_side = has_none or _is_number(self.threshold)
        excepted = " and ".join(map(repr, _WITHOUT_THRESHOLD))
        _require(self, "threshold", has_side, f"a number, except for {excepted}")


@dataclass(frozen=True, kw_only=True)
class AdaptivePasses:
    """As many passes as a stopping rule needs. It has either a tolerance or a decision.

    Raises:
        ValueError: with the field, its value and the valid values.
    """

    PLACE: ClassVar[str] = "passes"

    max: int = field(default=2000, metadata=_says("maximum number of passes"))
    min: int = field(default=20, metadata=_says("minimum number of passes, unless max is less"))
    tolerance: float | None = field(
        default=None, metadata=_says("maximum standard error of the mean, for each element")
    )
    relative: bool = field(
        default=False, metadata=_says("whether the tolerance is a multiple of the absolute mean")
    )
    rows: StopRows = field(
        default="each",
        metadata=_says(
            "each: a row stops by itself, and the others go on; together: all rows stop when the "
            "last one may"
        ),
    )
    decide: Decision | None = field(
        default=None, metadata=_says("what has to be settled, instead of a tolerance")
    )

    def __post_init__(self) -> None:
        """Check the fields."""
        for name in ("max", "min"):
            value = getattr(self, name)
            whole = isinstance(value, Integral) and not isinstance(value, bool)
            _require(self, name, whole and value >= 2, "a whole number, 2 or more")
        _require(self, "relative", isinstance(self.relative, bool), "true or false")
        _require(self, "rows", self.rows in STOP_ROWS, " or ".join(STOP_ROWS))
        if self.decide is not None:
            _require(self, "tolerance", self.tolerance is None, "left out where 'decide' is given")
            _require(self, "relative", not self.relative, "left out where 'decide' is given")
            return
        known = _is_number(self.tolerance) and self.tolerance is not None and self.tolerance > 0
        _require(self, "tolerance", known, "a number above 0, unless 'decide' is given")

    @classmethod
    def of_object(cls, given: Mapping[str, Any]) -> "AdaptivePasses":
        """Read an object.

        Raises:
            ValueError: with the field, its value and the valid values.
        """
        found = _known(given, cls)
        decide = found.get("decide")
        if isinstance(decide, Mapping):
            found["decide"] = _decision(decide)
        elif decide is not None and not isinstance(decide, Decision):
            raise ValueError(
                f'passes.decide is {decide!r:.40}; it must be an object of a "measure".'
            )
        return cls(**found)

    @classmethod
    def of_text(cls, text: str) -> "AdaptivePasses":
        """Read the form name=value,name=value.

        Raises:
            ValueError: with the field, its value and the valid values.
        """
        given: dict[str, Any] = {}
        for item in text.split(","):
            name, equals, value = map(str.strip, item.partition("="))
            if not equals or name in given:
                raise ValueError(
                    f"passes is {text!r:.80}, in which {item!r:.40} is not one more field; it must "
                    f"be a whole number, or fields as in {EXAMPLE_TEXT}."
                )
            given[name] = _read_value(value)
        own = {f.name: given.pop(f.name) for f in fields(Decision) if f.name in given}
        if "decide" in given or own:
            given["decide"] = {"measure": given.pop("decide", None)} | own
        return cls.of_object(given)

    def as_object(self) -> dict[str, Any]:
        """The fields that differ from their defaults, and `max`."""
        decide = None if self.decide is None else _changed(self.decide)
        found = {"max": self.max} | _changed(self)
        return found if decide is None else found | {"decide": decide}

    def as_text(self) -> str:
        """The same as text."""
        given = self.as_object()
        decide = given.pop("decide", {})
        if decide:
            given |= {"decide": decide.pop("measure"), **decide}
        return ",".join(f"{name}={_text(value)}" for name, value in given.items())


def _decision(given: Mapping[str, Any]) -> Decision:
    return Decision(**{"measure": None, **_known(given, Decision)})


def descriptions(cls: type[AdaptivePasses] | type[Decision]) -> dict[str, str]:
    """What each field is."""
    return {f.name: f.metadata["description"] for f in fields(cls)}


def _known(given: Mapping[str, Any], cls: type[AdaptivePasses] | type[Decision]) -> dict[str, Any]:
    names = [f.name for f in fields(cls)]
    unknown = [str(name) for name in given if name not in names]
    if unknown:
        raise ValueError(f"{cls.PLACE} has no field {unknown[0]!r:.40}; its fields are {names}.")
    return dict(given)


def _require(owner: AdaptivePasses | Decision, name: str, valid: bool, right: str) -> None:
    if not valid:
        value = repr(getattr(owner, name))[:40]
        raise ValueError(f"{owner.PLACE}.{name} is {value}; it must be {right}.")


def _is_number(value: Any) -> bool:
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def _changed(owner: Any) -> dict[str, Any]:
    found = ((f.name, getattr(owner, f.name), f.default) for f in fields(owner))
    return {name: value for name, value, default in found if value != default}


def _read_value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
