"""How a model is to be sampled, in the words of the protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from service.client.answers import quantity
from service.client.errors import InvalidCallError
from service.client.signature import Signature

Masks: TypeAlias = Literal["shared", "per_row"]
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
        """Check what cannot be said in the protocol.

        Raises:
            InvalidCallError: naming the option and what would be right.
        """
        for option in ("measures", "sites"):
            value = getattr(self, option)
            if isinstance(value, str):
                raise InvalidCallError(
                    f"{option} is the string {value!r}; give a list: [{value!r}]."
                )
        for name in self.sites or ():
            if "," in name:
                raise InvalidCallError(f"the site {name!r} has a comma, and cannot be sent.")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the measures, each once."""
        return tuple(dict.fromkeys(self.measures))

    def question(self, signature: Signature) -> Question:
        """Every quantity of every output, sampled so."""
        asked = ("mean", "variance", *self.names)
        outputs = [{"name": quantity(o, name)} for o in signature.outputs for name in asked]
        given = {"passes": self.passes, "seed": self.seed, "masks": self.masks}
        parameters: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        parameters["rate_scale"] = float(self.rate_scale)
        if self.sites is not None:
            parameters["sites"] = ",".join(self.sites)
        return {"outputs": outputs, "parameters": parameters}


def deterministic(signature: Signature) -> Question:
    """Every output itself, with dropout off."""
    return {"parameters": {"training": False}}
