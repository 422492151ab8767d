"""Changes in the model folder that polling finds."""

import shutil
from pathlib import Path

import pytest

from service import Predictor, load_model
from service.errors import ModelNotFoundError
from service.repository.registry import Repository, State
from service.repository.version_policy import parse_policy
from tests.service.repository.folders import place, repository, states


class Counting:
    """Loads models, and counts the loads."""

    def __init__(self) -> None:
        self.paths: list[Path] = []

    def __call__(self, path: Path) -> Predictor:
        self.paths.append(path)
        return load_model(path)


@pytest.fixture
def content(digits_path: Path) -> bytes:
    return digits_path.read_bytes()


@pytest.fixture
def load() -> Counting:
    return Counting()


@pytest.fixture
def models(tmp_path: Path, content: bytes, load: Counting) -> Repository:
    """A repository with one model, `digits` version 1, loaded; the count is 0."""
    place(tmp_path, "digits", 1, content)
    found = repository(tmp_path, load)
    load.paths.clear()
    return found


def test_poll_without_a_change_loads_nothing(models: Repository, load: Counting) -> None:
    before = models.predictor("digits")[1]
    for _ in range(3):
        models.poll()
    assert models.predictor("digits")[1] is before
    assert load.paths == []


def test_new_version_is_loaded_when_two_polls_find_it_unchanged(
    models: Repository, load: Counting, tmp_path: Path, content: bytes
) -> None:
    path = place(tmp_path, "digits", 2, content[:1000])
    models.poll()
    path.write_bytes(content)  # it was being written
    models.poll()
    assert load.paths == []
    assert states(models) == {2: "loading", 1: "ready"}
    models.poll()
    assert load.paths == [path]
    assert states(models) == {2: "ready", 1: "unloaded"}


def test_a_new_model_is_loaded(models: Repository, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other").mkdir()
    models.poll()
    assert models.names() == ["digits"]
    place(tmp_path, "other/..", "other/1", content)
    for _ in range(2):
        models.poll()
    assert states(models, "other") == {1: "ready"}


def test_folder_that_stays_empty_is_reported(models: Repository, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    for _ in range(2):
        models.poll()
    assert "has no version folder" in models.version("other").reason


def test_changed_file_is_loaded_and_a_broken_one_tried_once(
    models: Repository, load: Counting, tmp_path: Path, content: bytes
) -> None:
    path, before = tmp_path / "digits" / "1" / "model.onnx", models.predictor("digits")[1]
    path.write_bytes(content[:1000])
    for _ in range(4):
        models.poll()
    assert load.paths == [path]
    version = models.version("digits")
    assert (version.state, version.predictor) == (State.READY, before)
    assert "the version loaded before continues to serve" in version.reason
    path.write_bytes(content)
    for _ in range(4):
        models.poll()
    assert load.paths == [path, path]
    assert models.version("digits").reason == ""
    assert models.predictor("digits")[1] is not before


def test_a_broken_new_version_is_tried_once(
    models: Repository, load: Counting, tmp_path: Path
) -> None:
    path = place(tmp_path, "digits", 2, b"broken")
    for _ in range(4):
        models.poll()
    assert load.paths == [path]
    assert states(models) == {2: "failed", 1: "ready"}


def test_file_that_failed_at_the_start_is_tried_when_it_changes(
    tmp_path: Path, content: bytes, load: Counting
) -> None:
    path = place(tmp_path, "digits", 1, content[:1000])
    models = repository(tmp_path, load)
    for _ in range(3):
        models.poll()
    assert load.paths == [path]
    path.write_bytes(content)
    for _ in range(2):
        models.poll()
    assert states(models) == {1: "ready"}


def test_missing_file_is_an_error_and_its_model_keeps_serving(
    models: Repository, tmp_path: Path
) -> None:
    path = tmp_path / "digits" / "1" / "model.onnx"
    kept = path.rename(path.with_name(".kept"))
    for _ in range(3):
        models.poll()
    assert models.version("digits").state is State.READY
    assert "cannot be read: No such file" in models.version("digits").reason
    kept.rename(path)
    models.poll()
    assert models.version("digits").reason == ""


def test_removed_version_is_replaced_by_the_previous_one(
    models: Repository, load: Counting, tmp_path: Path, content: bytes
) -> None:
    place(tmp_path, "digits", 2, content)
    models.load("digits")
    load.paths.clear()
    shutil.rmtree(tmp_path / "digits" / "2")
    models.poll()
    assert states(models)[2] == "ready"  # it may be being replaced
    models.poll()
    assert states(models) == {1: "ready"}
    models.poll()
    assert len(load.paths) == 1


def test_a_model_that_was_removed_is_dropped(models: Repository, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "digits")
    models.poll()
    assert models.version("digits").state is State.READY
    models.poll()
    assert models.names() == []
    with pytest.raises(ModelNotFoundError):
        models.predictor("digits")


def test_model_that_is_moved_away_and_back_is_not_loaded_again(
    models: Repository, load: Counting, tmp_path: Path
) -> None:
    away = (tmp_path / "digits").rename(tmp_path / ".away")
    models.poll()
    away.rename(tmp_path / "digits")
    for _ in range(2):
        models.poll()
    assert models.version("digits").state is State.READY
    assert load.paths == []


def test_a_folder_that_cannot_be_listed_changes_nothing(
    models: Repository, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As after the loss of a volume."""
    tmp_path.rename(tmp_path.with_name("away"))
    for _ in range(3):
        models.poll()
    assert models.version("digits").state is State.READY
    assert "cannot be read: No such file" in caplog.text
    tmp_path.with_name("away").rename(tmp_path)
    (tmp_path / "digits").rename(tmp_path / ".away")
    (tmp_path / "digits").symlink_to(tmp_path / "nowhere")
    for _ in range(3):
        models.poll()
    assert models.version("digits").state is State.READY


def test_unloaded_model_stays_unloaded_until_it_is_loaded_by_name(
    models: Repository, load: Counting, tmp_path: Path, content: bytes
) -> None:
    models.unload("digits")
    place(tmp_path, "digits", 2, content)
    for _ in range(3):
        models.poll()
    assert states(models) == {2: "unloaded", 1: "unloaded"}
    assert load.paths == []
    models.load("digits")
    models.poll()
    assert states(models) == {2: "ready", 1: "unloaded"}
    models.unload("digits")
    shutil.rmtree(tmp_path / "digits")
    for _ in range(2):
        models.poll()
    assert models.names() == []


def test_polling_follows_the_policy(tmp_path: Path, content: bytes, load: Counting) -> None:
    place(tmp_path, "digits", 1, content)
    models = Repository(tmp_path, load, parse_policy("latest:2"))
    models.load_all()
    for number in (2, 3):
        place(tmp_path, "digits", number, content)
    for _ in range(2):
        models.poll()
    assert states(models) == {3: "ready", 2: "ready", 1: "unloaded"}


def test_mount_that_is_replaced_as_a_whole_is_followed(
    tmp_path: Path, content: bytes, load: Counting
) -> None:
    """As Kubernetes updates a ConfigMap: the link `..data` changes its target in one step."""
    place(tmp_path, "digits", "1/..old", content)
    place(tmp_path, "digits", "1/..new", content)
    folder = tmp_path / "digits" / "1"
    (folder / "..data").symlink_to("..old")
    (folder / "model.onnx").symlink_to("..data/model.onnx")
    models = repository(tmp_path, load)
    assert states(models) == {1: "ready"}
    (folder / "..next").symlink_to("..new")
    (folder / "..next").rename(folder / "..data")
    for _ in range(2):
        models.poll()
    assert len(load.paths) == 2


def test_version_0_of_a_model_without_versions_is_loaded(
    models: Repository, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "other").mkdir()
    for _ in range(2):
        models.poll()
    with pytest.raises(ModelNotFoundError, match="'other' has no version 0; it has none"):
        models.version("other", 0)
    place(tmp_path, "other/..", "other/0", content)
    models.poll()
    assert states(models, "other") == {0: "loading"}
    models.poll()
    assert models.predictor("other", 0)[0].state is State.READY
    assert states(models, "other") == {0: "ready"}


def test_placeholder_of_a_model_without_versions_is_replaced_by_a_version(
    models: Repository,
    load: Counting,
    tmp_path: Path,
    content: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "other").mkdir()
    for _ in range(2):
        models.poll()
    meanwhile: list[dict[int | None, str]] = []

    def noted(path: Path) -> Predictor:
        meanwhile.append(states(models, "other"))
        return load_model(path)

    monkeypatch.setattr(models, "_load_file", noted)
    place(tmp_path, "other/..", "other/1", content)
    models.load("other")
    assert meanwhile == [{1: "loading"}]
