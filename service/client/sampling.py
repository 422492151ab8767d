"""Sampling options in the form of the protocol."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from service.client.errors import InvalidCallError
from service.client.signature import Signature
from service.protocol.options import OptionError, Options, measure_text

#: The parts of an inference request other than its inputs.
Question: TypeAlias = Mapping[str, Any]


def read_options(**given: Any) -> Options:
    """Read the options of a call. The server checks them against the model.

    Raises:
        InvalidCallError: an option has the wrong type, or cannot be sent.
    """
    try:
        options = Options(**given)
        measures = [measure_text(measure) for measure in options.measures or ()]
    except OptionError as error:
        raise InvalidCallError(str(error)) from error
    for what, names in (("site", options.sites or ()), ("measure", measures)):
        for name in (name for name in names if "," in name):
            raise InvalidCallError(f"the {what} {name!r} has a comma, and cannot be sent.")
    return options


def question(options: Options, signature: Signature) -> Question:
    """Request mean, variance and measures of every output."""
    return {"parameters": flat_options(options)}


def flat_options(options: Options) -> dict[str, Any]:
    """The options as numbers and strings; the items of a list are separated by commas."""
    passes = options.passes if options.adaptive is None else options.adaptive.as_text()
    given = {"passes": passes, "seed": options.seed}
    parameters: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
    parameters |= {name: getattr(options, name) for name in ("masks", "sampling", "rate_scale")}
    if options.measures is not None:
        parameters["measures"] = ",".join(dict.fromkeys(map(measure_text, options.measures)))
    if options.sites is not None:
        parameters["sites"] = ",".join(options.sites)
    return parameters


def deterministic(signature: Signature) -> Question:
    """Request every output itself, with dropout off."""
    return {"parameters": {"training": False}}
