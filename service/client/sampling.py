"""Sampling options in the form of the protocol."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from service.client.errors import InvalidCallError
from service.client.signature import Signature
from service.protocol.adaptive import AdaptivePasses
from service.protocol.options import DEFAULTS, OPTIONS, OptionError, Options, measure_text

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


def given_options(options: Options) -> dict[str, Any]:
    """The options that are not at their default: an older server may not know the others."""
    values = {name: getattr(options, name) for name in OPTIONS}
    return {name: value for name, value in values.items() if value != DEFAULTS[name]}


def flat_options(options: Options) -> dict[str, Any]:
    """The same as numbers and strings; the items of a list are separated by commas."""
    return {name: _flat(value) for name, value in given_options(options).items()}


def _flat(value: Any) -> Any:
    if isinstance(value, AdaptivePasses):
        return value.as_text()
    if isinstance(value, tuple):
        return ",".join(dict.fromkeys(map(measure_text, value)))
    return value


def deterministic(signature: Signature) -> Question:
    """Request every output itself, with dropout off."""
    return {"parameters": {"training": False}}
