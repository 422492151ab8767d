"""`mcdropout predict` on a model of a server, which answers as its file does."""

import json
import re
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from scripts.local_server import LocalServer
from service.cli import app
from service.cli.models import read_manifest
from service.errors import InputError
from tests.conftest import STORE

DIGITS = STORE / "digits" / "1" / "model.onnx"
QUESTIONS = [
    ("--seed", 7, "--passes", 30, "--measures", "label,quantiles:0.1:0.9"),
    ("--seed", 7, "--passes", "max=100,tolerance=0.05", "--rate-scale", 0.5),
    ("--deterministic",),
]


def predict(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["predict", *map(str, arguments)])


def parsed(ended: Result) -> Any:
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("options", QUESTIONS)
@pytest.mark.parametrize("version", ["", "/versions/1"])
def test_server_answers_as_the_file_does(
    server: LocalServer, options: tuple[object, ...], version: str
) -> None:
    address = f"{server.url}/v1/models/digits{version}"
    wanted = parsed(predict(DIGITS, "--example", "--json", *options))
    assert parsed(predict(address, "--example", "--json", *options)) == wanted


@pytest.mark.slow
def test_table_has_the_labels_of_the_model(server: LocalServer) -> None:
    for flags, column in ((["--no-calibrated"], "runner-up"), ([], "prediction_set")):
        asked = ("--example", "--seed", 7, *flags)
        ended = predict(f"{server.url}/v1/models/digits:predict", *asked)
        assert ended.stdout == predict(DIGITS, *asked).stdout
        assert column in ended.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("/v1/models/nope", "there is no model 'nope'; this server has: co2, digits."),
        ("", "is not the address of a model, such as http://127.0.0.1:8000/v1/models/NAME."),
    ],
)
def test_refusal_is_an_error(server: LocalServer, place: str, text: str) -> None:
    ended = predict(f"{server.url}{place}", "--example")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert text in ended.stderr


@pytest.mark.parametrize(
    ("place", "flags", "text"),
    [
        (DIGITS, ("--api-key", "k"), "--api-key is for a model of a server"),
        ("http://h/v1/models/m", ("--device", "cpu"), "--device is for a model file"),
        ("http://h/v1/models/m", ("--api-key", ""), "the API key is empty"),
    ],
)
def test_flags_of_the_other_kind_are_errors(
    place: object, flags: tuple[str, ...], text: str
) -> None:
    ended = predict(place, "--example", *flags)
    assert ended.exit_code == 2
    assert text in ended.stderr


@pytest.mark.parametrize(
    ("details", "text"),
    [
        ({"state": "failed", "reason": "no file."}, " is not ready (failed): no file."),
        ({"inputs": [{"name": "x", "colour": "red"}]}, " is described in another form"),
    ],
)
def test_model_without_a_usable_description_is_an_error(details: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=re.escape(text)):
        read_manifest(details, "http://h/v1/models/m")
