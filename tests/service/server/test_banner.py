import json
import shlex
from pathlib import Path

from service import load_model
from service.repository.registry import Repository
from service.server.banner import banner
from tests.conftest import STORE


def test_greeting_has_a_command_with_an_example_row() -> None:
    repository = Repository(STORE, load_model)
    repository.load_all()
    text = banner(repository, "http://127.0.0.1:8000")
    assert "  co2 version 1: ready\n  digits version 1: ready\n" in text
    words = shlex.split(text[text.index("curl") :])
    assert words[2] == "http://127.0.0.1:8000/v1/models/co2:predict"
    assert json.loads(words[-1]) == {"instances": [[2010.5]], "passes": 100, "seed": 7}


def test_greeting_of_an_empty_folder_says_where_to_put_a_model(tmp_path: Path) -> None:
    repository = Repository(tmp_path, load_model)
    repository.load_all()
    text = banner(repository, "http://127.0.0.1:8000")
    assert "There are no models yet. Put one at <name>/<version>/model.onnx." in text
