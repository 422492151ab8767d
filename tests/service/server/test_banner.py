from pathlib import Path

import pytest

from service import load_model
from service.repository.registry import Repository
from service.server.banner import banner
from tests.conftest import STORE

URL = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def demo() -> Repository:
    repository = Repository(STORE, load_model)
    repository.load_all()
    return repository


def test_greeting_has_the_address_and_a_command(demo: Repository) -> None:
    first, second, *rest = banner(demo, URL).splitlines()
    assert first == f"Serving 2 models of {STORE} at {URL}"
    assert second == "Its API is documented at /docs."
    assert rest[:3] == ["", "Try it:", ""]
    assert rest[3].startswith(f"  curl {URL}/v1/models/co2:predict")


def test_greeting_mentions_the_page_where_there_is_one(demo: Repository) -> None:
    assert "Open it in a browser to try them" in banner(demo, URL, page=True)


def test_greeting_with_keys_asks_for_one_in_a_variable(demo: Repository) -> None:
    text = banner(demo, URL, keys=True)
    assert "Try it with one of the server's API keys in $KEY:" in text
    assert '-H "Authorization: Bearer $KEY"' in text


def test_greeting_of_an_empty_folder_says_where_to_put_a_model(tmp_path: Path) -> None:
    repository = Repository(tmp_path, load_model)
    repository.load_all()
    text = banner(repository, URL)
    assert "There are no models yet. Put one at <name>/<version>/model.onnx." in text
    assert "Try it" not in text


def test_failed_model_is_named_and_its_reason_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "co2").symlink_to(STORE / "co2")
    (tmp_path / "broken" / "1").mkdir(parents=True)
    (tmp_path / "broken" / "1" / "model.onnx").write_text("x")
    (tmp_path / "unversioned").mkdir()
    repository = Repository(tmp_path, load_model)
    with caplog.at_level("INFO", "mcdropout"):
        repository.load_all()
    text = banner(repository, URL)
    assert text.startswith(f"Serving 1 of 3 models of {tmp_path} at {URL}\n")
    names = "broken (failed), unversioned (failed)"
    assert f"The log has the reasons why these cannot answer: {names}." in text
    said = {record.levelname: record.getMessage() for record in caplog.records}
    assert said["INFO"] == "model co2 version 1 is ready"
    errors = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert len(errors) == 2
    assert any("model broken version 1 failed: " in e and "not a whole ONNX" in e for e in errors)
    assert any("model unversioned failed: " in e and "no version folder" in e for e in errors)
