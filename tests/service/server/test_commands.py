import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from service.manifest import Manifest
from service.server.commands import WIDTH, prediction_command

URL = "http://127.0.0.1:8000"


def manifest(*shape: int, example: Any = None) -> Manifest:
    spec = {"name": "x", "dtype": "float32", "shape": [None, *shape], "example": example}
    source = {"kind": "memory", "name": "", "sha256": ""}
    return Manifest.model_validate(
        {"task": "other", "inputs": [spec], "outputs": [], "sites": [], "tools": {}}
        | {"source": source}
    )


def words(command: str) -> list[str]:
    """Of a command, as a shell reads it."""
    assert max(map(len, command.splitlines())) <= WIDTH
    return shlex.split(command.replace("\\\n", ""))


def test_small_row_is_in_a_curl_command() -> None:
    found = words(prediction_command(URL, "co2", manifest(1, example=[2010.5])))
    assert found[:3] == ["curl", f"{URL}/v1/models/co2:predict", "-d"]
    assert json.loads(found[-1]) == {"instances": [[2010.5]], "passes": 100, "seed": 7}


@pytest.mark.parametrize("shape", [(64,), (784,), (224, 224, 3)])
def test_large_row_is_read_from_the_server(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["bin/mcdropout"])
    found = words(prediction_command(URL, "digits", manifest(*shape)))
    assert found == ["bin/mcdropout", "predict", f"{URL}/v1/models/digits", "--example"]


@pytest.mark.parametrize("size", [1, 784])
def test_key_is_taken_from_a_variable(size: int) -> None:
    command = prediction_command(URL, "m", manifest(size), keys=True)
    wanted = "Authorization: Bearer $KEY" if size == 1 else "$KEY"
    assert wanted in words(command)
    assert f'"{wanted}"' in command  # in the quotes in which a shell replaces it


@pytest.mark.parametrize("size", [1, 784])
def test_name_with_odd_characters_is_an_address(size: int) -> None:
    found = words(prediction_command(URL, "my model's", manifest(size)))
    address = f"{URL}/v1/models/my%20model%27s"
    assert any(word.removesuffix(":predict") == address for word in found)


def test_module_is_named_where_there_is_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [str(Path("service") / "cli" / "__main__.py")])
    assert " -m mcdropout predict" in prediction_command(URL, "m", manifest(784))
