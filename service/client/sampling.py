"""Sampling options in the form of the protocol."""

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

#: The parts of an inference request other than its inputs.
Question: TypeAlias = Mapping[str, Any]


def read_options(**given: Any) -> Options:
    """Read the options of a call. The server checks them against the model.

    Raises:
        InvalidCallError: an option has the wrong type, or cannot be sent.
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
    """Request every quantity of every output."""
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
    """Request every output itself, with dropout off."""
    return {"parameters": {"training": False}}
