"""The options of a request, and the names of quantities in requests and answers.

`Options` is the single definition: fields of bodies, parameters, command line flags, Python
arguments and their documentation are made from its fields (see `OPTIONS`).
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from service.protocol.adaptive import EXAMPLE, AdaptivePasses

#: Whether all rows of a pass share one mask, or each row has its own.
Masks: TypeAlias = Literal["shared", "per_row"]
MASKS: tuple[Masks, ...] = get_args(Masks)

#: Whether passes are independent, or coupled in blocks.
Sampling: TypeAlias = Literal["independent", "stratified"]
SAMPLINGS: tuple[Sampling, ...] = get_args(Sampling)
DEFAULT_SAMPLING: Sampling = "independent"

#: A measure's name, optionally followed by arguments ("quantiles:0.05:0.95", or by their names
#: "prediction_set:coverage=0.95:method=lac"), or an object of its name to them
#: ({"quantiles": [0.05, 0.95]}, {"prediction_set": {"coverage": 0.95, "method": "lac"}}).
AskedMeasure: TypeAlias = str | Mapping[str, Any]

#: A number of passes, or a stopping rule: as it is, as an object, or as text.
AskedPasses: TypeAlias = int | AdaptivePasses | Mapping[str, Any] | str

#: The quantities of every output over passes.
MOMENTS = ("mean", "variance")

#: The form of a request id, which identifies a request in the server's log.
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

#: Integers in JSON are exact up to this limit in every client, and a seed is sent as one.
SEED_LIMIT = 1 << 53

Kind = Literal["passes", "whole number", "number", "switch", "choice", "names", "measures"]


class OptionError(ValueError):
    """The value of an option has the wrong type."""


@dataclass(frozen=True)
class Option:
    """One option of a request.

    Attributes:
        kind: of the value.
        description: for documentation, a phrase without a period.
        default: description of the default value.
        minimum, maximum: bounds of a number; None for no bound.
        choices: the values of a choice.
    """

    kind: Kind
    description: str
    default: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    def as_metadata(self) -> dict[str, "Option"]:
        """The metadata of a field of `Options`."""
        return {"option": self}


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to sample. NumPy numbers and any iterables of names are accepted.

    Raises:
        OptionError: with the name of the option, its value and the valid values. The server
            checks bounds, because some depend on the model.
    """

    passes: AskedPasses | None = field(
        default=None,
        metadata=Option(
            "passes",
            "number of stochastic forward passes, or a stopping rule",
            "that of the model's calibration, else the model's own",
            minimum=2,
        ).as_metadata(),
    )
    seed: int | None = field(
        default=None,
        metadata=Option(
            "whole number",
            "random seed; the same seed reproduces an answer",
            "a random one, returned in the answer",
            minimum=0,
            maximum=SEED_LIMIT - 1,
        ).as_metadata(),
    )
    measures: Sequence[AskedMeasure] | None = field(
        default=None,
        metadata=Option(
            "measures",
            "names of further measures, with arguments as in quantiles:0.05:0.95; an empty list "
            "for none",
            "the model's own",
        ).as_metadata(),
    )
    masks: Masks = field(
        default="shared",
        metadata=Option(
            "choice",
            "shared: all rows of a pass share one mask, so that a pass is one thinned network; "
            "per_row: each row has its own mask, as in Keras' model(x, training=True)",
            "shared",
            choices=MASKS,
        ).as_metadata(),
    )
    sampling: Sampling = field(
        default=DEFAULT_SAMPLING,
        metadata=Option(
            "choice",
            "independent: the passes are independent; stratified: blocks of 20 passes share out "
            "their random numbers evenly, which takes fewer passes for the same error of the mean",
            DEFAULT_SAMPLING,
            choices=SAMPLINGS,
        ).as_metadata(),
    )
    inner: int = field(
        default=1,
        metadata=Option(
            "whole number",
            "inner masks: masks of the last site in each pass, which share one run of everything "
            "before it; more take fewer passes for the same error where this site varies most",
            "1",
            minimum=1,
            maximum=100,
        ).as_metadata(),
    )
    rate_scale: float | None = field(
        default=None,
        metadata=Option(
            "number",
            "multiplies every dropout rate; none may exceed 1",
            "that of the model's calibration, else 1",
            minimum=0,
        ).as_metadata(),
    )
    sites: Sequence[str] | None = field(
        default=None,
        metadata=Option(
            "names",
            "names of the active sites; all others are off",
            "those of the model's calibration, else all",
        ).as_metadata(),
    )
    calibrated: bool | None = field(
        default=None,
        metadata=Option(
            "switch",
            "true: adds the measures of the model's calibration, for which rate_scale and sites "
            "have to be those of the calibration; false: answers as if there was none",
            "true if that is possible",
        ).as_metadata(),
    )

    def __post_init__(self) -> None:
        """Convert every value to its declared type."""
        for name, option in OPTIONS.items():
            value = getattr(self, name)
            if value is not DEFAULTS[name]:
                object.__setattr__(self, name, _READERS[option.kind](name, value))

    @property
    def adaptive(self) -> AdaptivePasses | None:
        """The stopping rule; None: the number of passes is fixed."""
        return self.passes if isinstance(self.passes, AdaptivePasses) else None

    def max_passes(self, default: int) -> int:
        """Maximum number of passes; `default` if the request does not say."""
        if isinstance(self.passes, AdaptivePasses):
            return self.passes.max
        return self.passes if isinstance(self.passes, int) else default


OPTIONS: Mapping[str, Option] = {f.name: f.metadata["option"] for f in fields(Options)}
DEFAULTS: Mapping[str, Any] = {f.name: f.default for f in fields(Options)}


def _passes(option: str, value: Any) -> int | AdaptivePasses:
    if isinstance(value, AdaptivePasses):
        return value
    try:
        if isinstance(value, Mapping):
            return AdaptivePasses.of_object(value)
        if isinstance(value, str):
            return AdaptivePasses.of_text(value)
    except ValueError as error:
        raise OptionError(str(error)) from error
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    raise OptionError(
        f"{option} is {_said(value)}; it must be a whole number, an int, or an object such as "
        f"{EXAMPLE}."
    )


def _whole(option: str, value: Any) -> int:
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    raise OptionError(f"{option} is {_said(value)}; it must be a whole number, an int.")


def _number(option: str, value: Any) -> float:
    if isinstance(value, Real) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    raise OptionError(f"{option} is {_said(value)}; it must be a number.")


def _switch(option: str, value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise OptionError(f"{option} is {_said(value)}; it must be true or false.")


def _choice(option: str, value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    raise OptionError(f"{option} is {_said(value)}; it must be a string.")


def _names(option: str, value: Any) -> tuple[str, ...]:
    names = _items(option, value)
    if all(isinstance(name, str) for name in names):
        return names
    raise OptionError(f"{option} is {_said(value)}; it must be a list of names.")


def _measures(option: str, value: Any) -> tuple[AskedMeasure, ...]:
    items = _items(option, value)
    if all(isinstance(item, str | Mapping) for item in items):
        return items
    raise OptionError(
        f"{option} is {_said(value)}; it must be a list of names, or of objects of a name to its "
        "arguments."
    )


def _items(option: str, value: Any) -> tuple[Any, ...]:
    if isinstance(value, str | Mapping):
        what = "the string" if isinstance(value, str) else "the object"
        raise OptionError(f"{option} is {what} {value!r:.40}; give a list: [{value!r:.40}].")
    return tuple(value) if isinstance(value, Iterable) else (value,)


def _said(value: Any) -> str:
    """A value and its type, shortened for a message."""
    return f"{repr(value)[:40]} of type {type(value).__name__}"


_READERS: Mapping[Kind, Callable[[str, Any], Any]] = {
    "passes": _passes,
    "whole number": _whole,
    "number": _number,
    "switch": _switch,
    "choice": _choice,
    "names": _names,
    "measures": _measures,
}


def quantity_name(output: str, quantity: str) -> str:
    """The name of a tensor in an answer of a model with several outputs.

    Args:
        output: name of the output.
        quantity: one of `MOMENTS`, or the name of a measure.
    """
    return f"{output}.{quantity}"


def measure_text(asked: AskedMeasure) -> str:
    """A measure as text: its name, followed by its arguments, separated by colons.

    Raises:
        OptionError: an object has more or less than one name, or an argument that it names has
            several values.
    """
    if isinstance(asked, str):
        return asked
    if len(asked) != 1:
        raise OptionError(
            f"measures has {asked!r:.60}; give objects of one name and its arguments: "
            '{"quantiles": [0.05, 0.95]}.'
        )
    ((name, arguments),) = asked.items()
    if isinstance(arguments, Mapping):
        given = {key: value for key, value in arguments.items() if value is not None}
        return ":".join([name, *(_named(*pair) for pair in given.items())])
    values = arguments if isinstance(arguments, list | tuple) else [arguments]
    return ":".join([name, *map(str, values)])


def _named(name: str, value: Any) -> str:
    if isinstance(value, list | tuple | Mapping):
        raise OptionError(
            f"measures has an argument {name!r} with several values; leave its name out: "
            '{"quantiles": [0.05, 0.95]}.'
        )
    return f"{name}={value}"
