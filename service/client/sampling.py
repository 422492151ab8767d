"""How a model is to be sampled, in the words of the protocol."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from numbers import Integral, Real
from typing import Any, TypeAlias

from service.client.errors import InvalidCallError
from service.client.signature import Signature
from service.protocol.options import MOMENTS, Masks, quantity_name

#: What an inference request says beside its inputs.
Question: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Sampling:
    """See `Client.predict`. What of it a model does not take, the server says."""

    passes: int | None = None
    seed: int | None = None
    measures: Sequence[str] = ()
    masks: Masks = "shared"
    rate_scale: float = 1.0
    sites: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Check what the protocol has no form for, and bring NumPy's numbers into Python's.

        Raises:
            InvalidCallError: naming the option and what would be right.
        """
        read = {
            "passes": None if self.passes is None else _whole("passes", self.passes),
            "seed": None if self.seed is None else _whole("seed", self.seed),
            "measures": _names("measures", self.measures),
            "rate_scale": _number("rate_scale", self.rate_scale),
            "sites": None if self.sites is None else _names("sites", self.sites),
        }
        for option, value in read.items():
            object.__setattr__(self, option, value)
        for name in self.sites or ():
            if "," in name:
                raise InvalidCallError(f"the site {name!r} has a comma, and cannot be sent.")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the measures, each once."""
        return tuple(dict.fromkeys(self.measures))

    def question(self, signature: Signature) -> Question:
        """Every quantity of every output, sampled so."""
        asked = (*MOMENTS, *self.names)
        outputs = [{"name": quantity_name(o, name)} for o in signature.outputs for name in asked]
        given = {"passes": self.passes, "seed": self.seed, "masks": self.masks}
        parameters: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        parameters["rate_scale"] = self.rate_scale
        if self.sites is not None:
            parameters["sites"] = ",".join(self.sites)
        return {"outputs": outputs, "parameters": parameters}


def _whole(option: str, value: Any) -> int:
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    raise InvalidCallError(f"{option} is {_said(value)}; it must be a whole number, an int.")


def _number(option: str, value: Any) -> float:
    if isinstance(value, Real) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return inf
    raise InvalidCallError(f"{option} is {_said(value)}; it must be a number.")


def _names(option: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        raise InvalidCallError(f"{option} is the string {value!r}; give a list: [{value!r}].")
    names = tuple(value) if isinstance(value, Iterable) else (value,)
    if not all(isinstance(name, str) for name in names):
        raise InvalidCallError(f"{option} is {_said(value)}; it must be a list of names.")
    return names


def _said(value: Any) -> str:
    return f"{repr(value)[:40]} of type {type(value).__name__}"


def deterministic(signature: Signature) -> Question:
    """Every output itself, with dropout off."""
    return {"parameters": {"training": False}}
