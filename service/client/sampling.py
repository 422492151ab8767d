"""How a model is to be sampled, in the words of the protocol."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from service.client.errors import InvalidCallError
from service.client.signature import Signature
from service.protocol.options import (
    MOMENTS,
    OptionError,
    Options,
    measure_text,
    quantity_name,
)

#: What an inference request says beside its inputs.
Question: TypeAlias = Mapping[str, Any]


def read_options(**given: Any) -> Options:
    """The options of a call. What of them a model does not take, the server says.

    Raises:
        InvalidCallError: one is of a wrong type, or the protocol has no form for it.
    """
    try:
        options = Options(**given)
        for measure in options.measures:
            measure_text(measure)
    except OptionError as error:
        raise InvalidCallError(str(error)) from error
    for name in options.sites or ():
        if "," in name:
            raise InvalidCallError(f"the site {name!r} has a comma, and cannot be sent.")
    return options


def question(options: Options, signature: Signature) -> Question:
    """Every quantity of every output, sampled so."""
    measures = dict.fromkeys(map(measure_text, options.measures))
    outputs = [
        {"name": quantity_name(output, quantity)}
        for output in signature.outputs
        for quantity in (*MOMENTS, *measures)
    ]
    given = {"passes": options.passes, "seed": options.seed}
    parameters: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
    parameters |= {"masks": options.masks, "rate_scale": options.rate_scale}
    if options.sites is not None:
        parameters["sites"] = ",".join(options.sites)
    return {"outputs": outputs, "parameters": parameters}


def deterministic(signature: Signature) -> Question:
    """Every output itself, with dropout off."""
    return {"parameters": {"training": False}}
