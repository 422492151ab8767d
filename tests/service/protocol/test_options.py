"""Options are defined once; everything derived from them agrees."""

import asyncio
import inspect
import math
from typing import Any, NoReturn

import numpy as np
import pytest
import typer

from service import Predictor
from service.api.tfserving.schemas import PredictRequest
from service.api.v2.parameters import InferParameters
from service.cli import app
from service.client import AsyncClient, Client
from service.client.calls import Calls
from service.protocol.options import (
    DEFAULTS,
    OPTIONS,
    OptionError,
    Options,
    measure_text,
)

CALLERS = (Predictor, Client, AsyncClient)
METHODS = ("predict", "stream")
#: A value of each option that is not its default.
OTHERS: dict[str, Any] = {
    "passes": 50,
    "seed": 7,
    "measures": ["std"],
    "masks": "per_row",
    "sampling": "stratified",
    "inner": 2,
    "rate_scale": 0.5,
    "sites": ["a"],
    "calibrated": False,
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("caller", CALLERS)
def test_python_arguments_are_the_options(caller: type, method: str) -> None:
    parameters = inspect.signature(getattr(caller, method), eval_str=True).parameters
    hints = inspect.get_annotations(Options, eval_str=True)
    found = {name: p for name, p in parameters.items() if name in OPTIONS}
    assert {name: p.default for name, p in found.items()} == DEFAULTS
    assert {name: p.annotation for name, p in found.items()} == hints


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("caller", CALLERS)
def test_every_option_of_a_call_is_passed_on(
    caller: type, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(value != DEFAULTS[name] for name, value in OTHERS.items())
    assert list(OTHERS) == list(OPTIONS)
    asked: list[Options] = []

    def ask(*given: Any) -> NoReturn:
        asked.extend(one for one in given if isinstance(one, Options))
        raise EOFError

    for place, name in ((Predictor, "prepare"), (Calls, "predict"), (Calls, "stream")):
        monkeypatch.setattr(place, name, ask)
    with pytest.raises(EOFError):
        _call(caller, method)
    assert asked == [Options(**OTHERS)]


def _call(caller: type, method: str) -> None:
    if caller is Predictor:
        getattr(object.__new__(Predictor), method)([[0.0]], **OTHERS)
        return
    found = getattr(caller("http://test"), method)("digits", [[0.0]], **OTHERS)
    if inspect.iscoroutine(found):
        asyncio.run(found)


def test_body_fields_are_the_options() -> None:
    fields = PredictRequest.model_json_schema()["properties"]
    for name, option in OPTIONS.items():
        assert fields[name]["description"] == f"{option.description}; default: {option.default}"
        assert fields[name].get("minimum") == option.minimum
        assert fields[name].get("maximum") == option.maximum
        assert fields[name]["default"] == DEFAULTS[name]


def test_v2_parameters_are_the_options() -> None:
    fields = InferParameters.model_json_schema()["properties"]
    assert set(OPTIONS) <= set(fields)
    assert all(fields[name]["default"] == DEFAULTS[name] for name in OPTIONS)


def test_command_line_flags_are_the_options() -> None:
    command: Any = typer.main.get_command(app)
    flags = {p.name: p for p in command.commands["predict"].params}
    assert set(OPTIONS) < set(flags)
    names = [flags[name].opts for name in ("rate_scale", "sites")]
    assert names == [["--rate-scale"], ["--sites", "--site"]]


def test_values_are_converted_to_their_types() -> None:
    options = Options(
        passes=np.int64(5),  # type: ignore[arg-type]
        rate_scale=10**400,
        sites=iter(["a"]),  # type: ignore[arg-type]
        measures=["x", {"y": 1}],
    )
    assert (options.passes, type(options.passes)) == (5, int)
    assert options.rate_scale == math.inf
    assert options.sites == ("a",)
    assert options.measures == ("x", {"y": 1})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"passes": 10.0}, r"passes is 10\.0 of type float; it must be a whole number, an int, or"),
        ({"seed": True}, "seed is True of type bool; it must be a whole number"),
        ({"rate_scale": "1"}, "rate_scale is '1' of type str; it must be a number"),
        ({"masks": 1}, "masks is 1 of type int; it must be a string"),
        ({"sites": "a"}, r"sites is the string 'a'; give a list: \['a'\]"),
        ({"measures": {"a": 1}}, r"measures is the object \{'a': 1\}; give a list"),
        ({"measures": [1]}, "it must be a list of names, or of objects of a name to its"),
    ],
)
def test_other_types_are_refused_by_name(given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Options(**given)


def test_measure_text() -> None:
    assert [measure_text(m) for m in ("a:1", {"a": [1, 0.5]}, {"a": 2})] == [
        "a:1",
        "a:1:0.5",
        "a:2",
    ]
    named = {"a": {"level": 0.5, "method": "b", "other": None}}
    assert measure_text(named) == "a:level=0.5:method=b"
    with pytest.raises(OptionError, match="give objects of one name and its arguments"):
        measure_text({"a": 1, "b": 2})
    with pytest.raises(OptionError, match="argument 'levels' with several values; leave its name"):
        measure_text({"a": {"levels": [1, 2]}})
