import shutil
from pathlib import Path
from typing import Any

import pytest

from service import Predictor, load_model
from service.errors import ModelNotFoundError, ModelUnavailableError, SetupError
from service.repository import MODEL_FILE, Repository, State
from tests.conftest import ROOT


def place(folder: Path, name: str, number: int | str, content: bytes) -> None:
    path = folder / name / str(number) / MODEL_FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(content)


def repository(folder: Path, load: Any = load_model) -> Repository:
    loaded = Repository(folder, load)
    loaded.load_all()
    return loaded


def test_a_broken_model_fails_with_a_reason_and_the_others_serve(
    tmp_path: Path, digits_path: Path
) -> None:
    content = digits_path.read_bytes()
    place(tmp_path, "good", 1, content)
    place(tmp_path, "broken", 1, content[: len(content) // 2])
    (tmp_path / "empty").mkdir()
    (tmp_path / "hollow" / "1").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "README.md").touch()
    models = repository(tmp_path)
    assert models.names() == ["broken", "empty", "good", "hollow"]
    assert models.predictor("good")[0].state is State.READY
    reasons = {name: models.version(name).reason for name in ("broken", "empty", "hollow")}
    assert "is not a whole ONNX file" in reasons["broken"]
    assert "has no version folder. Put the file at" in reasons["empty"]
    assert "cannot be read: No such file" in reasons["hollow"]
    with pytest.raises(ModelUnavailableError, match="model 'broken' version 1 is failed: "):
        models.predictor("broken")


def test_the_newest_ready_version_answers(tmp_path: Path, digits_path: Path) -> None:
    for number in (1, 2, 10):
        place(tmp_path, "digits", number, digits_path.read_bytes() if number < 10 else b"broken")
    models = repository(tmp_path)
    assert [v.number for v in models.versions("digits")] == [10, 2, 1]
    assert models.version("digits").number == 2
    assert models.predictor("digits", 1)[0].number == 1
    with pytest.raises(ModelUnavailableError, match="version 10 is failed"):
        models.predictor("digits", 10)


def test_an_unknown_model_or_version_names_what_there_is(tmp_path: Path, digits_path: Path) -> None:
    place(tmp_path, "digits", 1, digits_path.read_bytes())
    models = repository(tmp_path)
    with pytest.raises(ModelNotFoundError, match=r"no model '\.\./etc'; this server has: digits"):
        models.predictor("../etc")
    with pytest.raises(ModelNotFoundError, match=r"no version 3; it has \[1\]"):
        models.predictor("digits", 3)


def test_a_model_is_unavailable_until_it_is_loaded(tmp_path: Path, digits_path: Path) -> None:
    place(tmp_path, "digits", 1, digits_path.read_bytes())
    models = Repository(tmp_path, load_model)
    assert not models.loaded
    with pytest.raises(ModelUnavailableError, match="is loading; try again"):
        models.predictor("digits")
    models.load_all()
    assert models.loaded
    assert isinstance(models.predictor("digits")[1], Predictor)


def test_an_unforeseen_fault_of_one_model_does_not_stop_the_others(
    tmp_path: Path, digits_path: Path
) -> None:
    place(tmp_path, "a", 1, b"")
    place(tmp_path, "b", 1, digits_path.read_bytes())

    def load(path: Path) -> Predictor:
        if "a" in path.parts:
            raise RuntimeError("disk on fire")
        return load_model(path)

    models = repository(tmp_path, load)
    assert "could not be loaded: disk on fire" in models.version("a").reason
    assert models.version("b").state is State.READY


def test_a_missing_folder_is_a_setup_error(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path)
    with pytest.raises(SetupError, match="there is no model folder"):
        Repository(tmp_path, load_model)


def test_what_a_user_would_not_expect_of_a_ready_model_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """PyTorch's attention, whose dropout its exporter leaves off."""
    torch = ROOT / "tests" / "data" / "torch"
    place(tmp_path, "encoder", 1, (torch / "encoder_legacy.onnx").read_bytes())
    models = repository(tmp_path)
    assert models.version("encoder").state is State.READY
    assert "off in its file and stay off: ['/layers.0/self_attn/Dropout']" in caplog.text
