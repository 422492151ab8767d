"""Fields of request bodies, generated from `Options`."""

import inspect
import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    TypeAdapter,
    WithJsonSchema,
)
from pydantic.fields import FieldInfo

from service.api.http.known import Items
from service.core.measures import MEASURES
from service.protocol.adaptive import (
    EXAMPLE,
    EXAMPLE_TEXT,
    AdaptivePasses,
    Decision,
    descriptions,
)
from service.protocol.options import DEFAULTS, OPTIONS, Kind, Option

Fields = Mapping[str, tuple[Any, FieldInfo]]

_MEASURE = {
    "anyOf": [
        {"type": "string", "examples": list(MEASURES)},
        {"type": "object", "minProperties": 1, "maxProperties": 1},
    ]
}


def _measure(value: Any) -> Any:
    if not isinstance(value, str | dict):
        raise ValueError("it takes a name, or an object of one name and its arguments")
    return value


def _schema(cls: type[AdaptivePasses] | type[Decision]) -> dict[str, Any]:
    """Of a stopping rule, or a part of it, as an object."""
    found = TypeAdapter(cls).json_schema()
    found.pop("$defs", None)
    found["description"] = str(inspect.getdoc(cls)).partition("\n\n")[0]
    for name, text in descriptions(cls).items():
        found["properties"][name]["description"] = text
    return {**found, "additionalProperties": False}


_RULE = _schema(AdaptivePasses)
_RULE["properties"]["decide"] |= {"anyOf": [_schema(Decision), {"type": "null"}]}
_PASSES = {
    "anyOf": [
        {"type": "integer"},
        {**_RULE, "examples": [json.loads(EXAMPLE)]},
        {"type": "string", "description": "the same as text", "examples": [EXAMPLE_TEXT]},
    ]
}


def _passes(value: Any) -> Any:
    """Other values are refused by `Options`, with the field that is wrong."""
    if isinstance(value, bool) or not isinstance(value, int | str | dict):
        raise ValueError(f"it takes a whole number, or an object such as {EXAMPLE}")
    return value


def _whole(value: Any) -> Any:
    """Accept 100.0, from clients that only have floats."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_AskedPasses = Annotated[Any, AfterValidator(_passes), WithJsonSchema(_PASSES)]

#: JSON types by kind of option.
_JSON: Mapping[Kind, Any] = {
    "passes": _AskedPasses,
    "whole number": StrictInt,
    "number": StrictFloat,
    "switch": StrictBool,
    "choice": StrictStr,
    "names": Items[StrictStr],
    "measures": Items[Annotated[Any, AfterValidator(_measure), WithJsonSchema(_MEASURE)]],
}


Whole = Annotated[StrictInt, BeforeValidator(_whole)]

#: The same for flat values; items of lists are separated by commas.
_FLAT: Mapping[Kind, Any] = {
    **_JSON,
    "passes": Annotated[_AskedPasses, BeforeValidator(_whole)],
    "whole number": Whole,
    "names": StrictStr,
    "measures": StrictStr,
}


def json_fields() -> Fields:
    """All options, as fields of a JSON body."""
    return {name: _field(name, option, _JSON) for name, option in OPTIONS.items()}


def flat_fields() -> Fields:
    """All options, as parameters of the Open Inference Protocol."""
    return {name: _field(name, option, _FLAT) for name, option in OPTIONS.items()}


def flat_items(text: str) -> list[str]:
    """The items of a list that is one text, separated by commas."""
    return [item.strip() for item in text.split(",") if item.strip()]


def refuse_options_without_passes(body: BaseModel, training: bool) -> None:
    """Check that a request without passes has no options for them.

    Raises:
        ValueError: with the options to leave out.
    """
    given = sorted(body.model_fields_set & set(OPTIONS))
    if not training and given:
        raise ValueError(
            f"'training' is false, which runs one pass with dropout off: leave out {given}"
        )


def _field(name: str, option: Option, types: Mapping[Kind, Any]) -> tuple[Any, FieldInfo]:
    kind, default = types[option.kind], DEFAULTS[name]
    # Documented here, and checked later together with the model, with better texts.
    bounds = {"minimum": option.minimum, "maximum": option.maximum}
    extra: dict[str, Any] = {k: v for k, v in bounds.items() if v is not None}
    if option.choices:
        extra["enum"] = list(option.choices)
    info: Any = Field(
        default=default,
        description=f"{option.description}; default: {option.default}",
        json_schema_extra=extra,
    )
    return (kind | None if default is None else kind), info
