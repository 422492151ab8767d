"""Converts bodies of the native protocol for the data plane, and back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from numpy.typing import NDArray
from pydantic import ValidationError

from service.api.http.body import invalid, parse_json
from service.api.http.errors import placed
from service.api.http.json_arrays import dumps
from service.api.http.option_fields import flat_items
from service.api.tfserving.arrays import BINARY, read_binary
from service.api.tfserving.schemas import PredictBody, PredictRequest
from service.core.measures import Facts
from service.core.measures.prediction_set import PredictionSet, members
from service.errors import InputError, Loc, place, shortened
from service.inference.inputs import ReadRows, read_inputs
from service.inference.predictor import Predictor
from service.manifest import Manifest
from service.protocol.options import OPTIONS, Options
from service.protocol.prediction import OutputPrediction, Prediction

EXAMPLE = 'an object such as {"instances": [[…]], "passes": 100}'

_ROWS = ("instances", "inputs")
#: Fields that are lists in JSON, and separated by commas in a query string.
_LISTS = frozenset(name for name, one in OPTIONS.items() if one.kind in ("names", "measures"))
_JSON_KINDS = ("passes", "whole number", "number", "switch")
#: Fields of the query string that are numbers or bools in JSON.
_PLAIN = {
    *(name for name, one in OPTIONS.items() if one.kind in _JSON_KINDS),
    *("training", "timeout"),
}

Columns = Mapping[str, Mapping[str, NDArray[Any]]]  # output name to key to (B, …)


@dataclass(frozen=True)
class Decoded:
    """A decoded request.

    Attributes:
        rows: for `Predictor.prepare`.
        place: renders a place in them.
        options: how to sample; None: one pass with dropout off.
        by_row: whether the answer has an object for each row.
        labeled: whether sets of classes are answered as lists of labels (see `labeled`).
        timeout: request deadline in seconds; None: the server's limit.
    """

    rows: ReadRows
    place: Callable[[Loc], str]
    options: Options | None
    by_row: bool
    labeled: bool
    timeout: float | None


def decode(predictor: Predictor, kind: str, query: Mapping[str, str], content: bytes) -> Decoded:
    """Read a body.

    Args:
        predictor: of the model.
        kind: the body's content type; types other than `BINARY` are read as JSON.
        query: the query string, with the options of a binary body.
        content: the body.

    Raises:
        InputError: with the place, the value and what would be right.
    """
    manifest = predictor.manifest
    render: Callable[[Loc], str]
    if kind in BINARY:
        body = _from_query(query)
        x, render = read_binary(kind, content, manifest.inputs), partial(place, "the body")
    else:
        body = parse_json(PredictRequest, content, EXAMPLE, predictor)
        x, render = _rows(manifest, body)
        _require_no_options(query)
    options = body.options() if body.training else None
    # Read here, the values that a body was parsed to are gone before the next body is parsed.
    with placed(render):
        rows = read_inputs(x, manifest.inputs)
    labeled = kind not in BINARY and body.inputs is None
    return Decoded(rows, render, options, labeled or kind in BINARY, labeled, body.timeout)


def _from_query(query: Mapping[str, str]) -> PredictBody:
    """The options of a request whose body contains only rows."""
    known = [name for name in PredictRequest.model_fields if name not in _ROWS]
    fields: dict[str, Any] = {"instances": []}
    for name, text in query.items():
        if name in _ROWS:
            raise InputError(f"{name} is in the query string; send the rows as the body.")
        if name not in known:
            text = f"unknown field {shortened(name)!r}; the known fields are {known}."
            raise InputError(f"the query string: {text}")
        fields[name] = (
            flat_items(text) if name in _LISTS else _plain(text) if name in _PLAIN else text
        )
    try:
        return PredictRequest.model_validate(fields)
    except ValidationError as error:
        text = invalid(error, "a query string such as ?passes=100&seed=7", "the query string")
    raise InputError(text)


def _require_no_options(query: Mapping[str, str]) -> None:
    for name in query:
        if name in PredictRequest.model_fields:
            raise InputError(
                f"the query string has {name!r}, which is allowed there only with rows as bytes; "
                "put it into the body."
            )


def _plain(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _rows(manifest: Manifest, body: PredictBody) -> tuple[Any, Callable[[Loc], str]]:
    """The rows as columns, and the renderer of their places."""
    if body.instances is None:
        _require_no_tensors(body.inputs)
        return body.inputs, partial(place, "inputs")
    if not body.instances or not isinstance(body.instances[0], dict):
        return body.instances, partial(place, "instances")
    names = [spec.name for spec in manifest.inputs]
    for index, instance in enumerate(body.instances):
        if not isinstance(instance, dict) or set(instance) != set(names):
            raise InputError(
                f"instances[{index}] is not an object with exactly the model's inputs {names}."
            )
    columns = {name: [instance[name] for instance in body.instances] for name in names}
    return columns, _instance_place


def _require_no_tensors(inputs: Any) -> None:
    """Reject the form of the other protocol, a likely mistake, with its own text."""
    first = inputs[0] if isinstance(inputs, list) and inputs else None
    if isinstance(first, dict) and "datatype" in first:
        raise InputError(
            "inputs is a list of tensors, as for POST /v2/models/{name}/infer. Here it must be "
            "rows, or an object of input name to rows."
        )


def _instance_place(loc: Loc) -> str:
    """Render a place in columns, for rows that were sent as objects."""
    match loc:
        case (str(name), int(row), *rest):
            return place("instances", (row, name, *rest))
        case (str(name),):
            return f"instances[*].{name}"
    return place("instances", loc)


def sampled(prediction: Prediction) -> dict[str, dict[str, NDArray[Any]]]:
    """Output name to key to (B, …)."""
    return {name: _quantities(output) for name, output in prediction.items()}


def _quantities(output: OutputPrediction) -> dict[str, NDArray[Any]]:
    return {"mean": output.mean, "variance": output.variance, **output.measures}


def labeled(columns: Columns, facts: Sequence[Facts]) -> Columns:
    """The same with sets of classes as lists of their labels, for people.

    Rows that are sent as arrays, or by column, are answered with arrays.
    """
    names = {one.output: one.members for one in facts}
    return {
        output: {
            name: members(y, names[output]) if name == PredictionSet.name else y
            for name, y in found.items()
        }
        for output, found in columns.items()
    }


def write_json(head: Mapping[str, Any], columns: Columns, by_row: bool) -> bytes:
    """The body of the answer, beginning with `head`."""
    name, found = ("predictions", _by_row(columns)) if by_row else ("outputs", _only(columns))
    return dumps({**head, name: found})


def arrays_by_name(columns: Columns) -> dict[str, NDArray[Any]]:
    """The same as arrays: "mean" …, or with several outputs "<output>.mean" …"""
    if len(columns) == 1:
        return dict(next(iter(columns.values())))
    return {f"{name}.{key}": y for name, found in columns.items() for key, y in found.items()}


def _only(columns: Columns) -> Any:
    return next(iter(columns.values())) if len(columns) == 1 else columns


def _by_row(columns: Columns) -> list[Any]:
    """One object for each row."""
    rows = {name: _transpose(found) for name, found in columns.items()}
    if len(rows) == 1:
        return next(iter(rows.values()))
    return [dict(zip(rows, parts, strict=True)) for parts in zip(*rows.values(), strict=True)]


def _transpose(found: Mapping[str, NDArray[Any]]) -> list[dict[str, Any]]:
    values = [y.tolist() for y in found.values()]
    return [dict(zip(found, row, strict=True)) for row in zip(*values, strict=True)]
