"""Command line flags generated from `Options`."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

import typer

from service.protocol.options import OPTIONS, Kind, Option

T = TypeVar("T")

#: Python types of the kinds without choices.
_TYPES: Mapping[Kind, Any] = {
    "passes": str,
    "whole number": int,
    "number": float,
    "switch": bool,
    "names": list[str],
    "measures": list[str],
}
#: What texts of errors say in the form of a request, and as flags.
_AS_FLAGS = {
    'send "training": false': "use --deterministic",
    'Send "masks": "shared", or leave this site out of "sites"': (
        "Use --masks shared, or leave this site out of --sites"
    ),
    'masks is "per_row"': "--masks is per_row",
}


def in_flags(text: str) -> str:
    """The text of an error, with the fields of a request as flags."""
    for field, flag in _AS_FLAGS.items():
        text = text.replace(field, flag)
    return text


def with_options(command: Callable[..., T]) -> Callable[..., T]:
    """Add a flag to a command for each option, and pass the given ones as `options`.

    Bounds are checked later, since some depend on the model.
    """
    own = inspect.signature(command)
    flags = [_flag(name, option) for name, option in OPTIONS.items()]

    @functools.wraps(command)
    def run(**given: Any) -> T:
        options = {name: _value(option, given.pop(name)) for name, option in OPTIONS.items()}
        return command(**given, options={k: v for k, v in options.items() if v is not None})

    kept = [parameter for name, parameter in own.parameters.items() if name != "options"]
    run.__signature__ = own.replace(parameters=[*kept, *flags])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in [*kept, *flags]}
    return run


def _value(option: Option, given: Any) -> Any:
    """A value as `Options` takes it."""
    if option.kind == "passes" and given is not None and given.lstrip("-").isdecimal():
        return int(given)
    return list_items(given) if isinstance(given, list) else given


def list_items(given: Sequence[str] | None) -> list[str]:
    """The items of a repeated flag, each separated by commas; "" is an empty list."""
    return [item.strip() for text in given or () if text for item in text.split(",")]


def _sentence(option: Option) -> str:
    """Its description, capitalized unless it begins with the name of a choice."""
    text = option.description
    return text if option.choices else text[0].upper() + text[1:]


def _flag(name: str, option: Option) -> inspect.Parameter:
    flags = [f"--{name}".replace("_", "-")]
    again = ""
    if option.kind == "switch":
        flags = [f"{flags[0]}/--no{flags[0][1:]}"]
    if option.kind in ("names", "measures"):
        flags.append(flags[0].removesuffix("s"))
        again = "; separated by commas, or repeated"
    info = typer.Option(
        *flags,
        help=f"{_sentence(option)}{again}.",
        show_default=option.default,
    )
    kind: Any = Literal[option.choices] if option.choices else _TYPES[option.kind]
    annotation = Annotated[kind | None, info]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )
