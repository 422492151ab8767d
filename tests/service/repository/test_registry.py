import os
import shutil
from pathlib import Path

import pytest

from service import Predictor, load_model
from service.errors import ModelNotFoundError, ModelUnavailableError, SetupError
from service.repository.registry import Repository, State
from service.repository.version_policy import LATEST
from tests.conftest import ROOT
from tests.service.repository.folders import place, repository, states


def test_broken_model_fails_with_a_reason_and_other_models_serve(
    tmp_path: Path, digits_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = digits_path.read_bytes()
    place(tmp_path, "good", 1, content)
    place(tmp_path, "broken", 1, content[: len(content) // 2])
    (tmp_path / "empty").mkdir()
    (tmp_path / "hollow" / "1").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "README.md").touch()
    (tmp_path / "__pycache__").mkdir()
    os.mkfifo(tmp_path / "pipe")
    models = repository(tmp_path)
    assert models.names() == ["broken", "empty", "good", "hollow"]
    assert models.predictor("good")[0].state is State.READY
    reasons = {name: models.version(name).reason for name in ("broken", "empty", "hollow")}
    for name in reasons:
        told = [
            r.getMessage() for r in caplog.records if r.getMessage().startswith(f"model {name} ")
        ]
        assert [line.partition(" failed: ")[2] for line in told] == [reasons[name]]
    assert "is not a whole ONNX file" in reasons["broken"]
    assert "has no version folder. Put the file at" in reasons["empty"]
    assert "cannot be read: No such file" in reasons["hollow"]
    with pytest.raises(
        ModelUnavailableError, match=r"model 'broken' version 1 is not ready \(failed\): "
    ):
        models.predictor("broken")


def test_file_of_another_name_is_reported_with_the_remedy(
    tmp_path: Path, digits_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("flat/mine.keras", "keras/1/mine.h5", "named/1/net.onnx", "top.keras"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    shutil.copy(ROOT / "models/zoo/trained/co2.keras", place(tmp_path, "renamed", 1, b""))
    models = repository(tmp_path)
    reasons = {name: models.version(name).reason for name in models.names()}
    export = f"Export it: mcdropout export {tmp_path}/"
    assert f"{export}flat/mine.keras --output {tmp_path}/flat/1" in reasons["flat"]
    assert f"{export}keras/1/mine.h5 --output {tmp_path}/keras/1" in reasons["keras"]
    path = tmp_path / "named" / "1"
    assert f"Move {path / 'net.onnx'} to {path / 'model.onnx'}." in reasons["named"]
    assert "model.onnx is a Keras model, not an ONNX file. Export it: " in reasons["renamed"]
    assert f"{export}top.keras --output {tmp_path}/top/1" in caplog.text


def test_model_folder_one_level_off_is_reported(tmp_path: Path, digits_path: Path) -> None:
    place(tmp_path / "store", "digits", 1, digits_path.read_bytes())
    (above,) = repository(tmp_path).versions("store")
    assert above.reason.endswith(f"seems to be this one: --models {tmp_path / 'store'}")
    (below,) = repository(tmp_path / "store" / "digits").versions("1")
    assert below.reason.endswith(f"a version of a model: --models {tmp_path / 'store'}")


def test_latest_serves_the_newest_version_that_loads(tmp_path: Path, digits_path: Path) -> None:
    for number in (1, 2, 10):
        place(tmp_path, "digits", number, digits_path.read_bytes() if number < 10 else b"broken")
    models = repository(tmp_path)
    assert [v.number for v in models.versions("digits")] == [10, 2, 1]
    assert models.version("digits").number == 2
    with pytest.raises(ModelUnavailableError, match=r"version 10 is not ready \(failed\)"):
        models.predictor("digits", 10)
    with pytest.raises(
        ModelUnavailableError, match=r"1 is not ready \(unloaded\): version 2 is newer, and the"
    ):
        models.predictor("digits", 1)


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("latest", {10: "failed", 3: "ready", 2: "unloaded", 1: "unloaded"}),
        ("latest:2", {10: "failed", 3: "ready", 2: "ready", 1: "unloaded"}),
        ("all", {10: "failed", 3: "ready", 2: "ready", 1: "ready"}),
        ("1,2", {10: "unloaded", 3: "unloaded", 2: "ready", 1: "ready"}),
        ("1,7", {10: "unloaded", 7: "failed", 3: "unloaded", 2: "unloaded", 1: "ready"}),
        ("2; digits=1", {10: "unloaded", 3: "unloaded", 2: "unloaded", 1: "ready"}),
    ],
)
def test_policy_selects_the_versions(
    tmp_path: Path, digits_path: Path, policy: str, wanted: dict[int, str]
) -> None:
    for number in (1, 2, 3, 10):
        place(tmp_path, "digits", number, digits_path.read_bytes() if number < 10 else b"broken")
    models = repository(tmp_path, policy=policy)
    assert states(models) == wanted
    newest = max(number for number, state in wanted.items() if state == "ready")
    assert models.predictor("digits")[0].number == newest
    if 7 in wanted:
        assert "has no folder of this number" in models.version("digits", 7).reason


def test_readiness_of_a_model_is_that_of_its_selected_version(
    tmp_path: Path, digits_path: Path
) -> None:
    """A newer version that is not selected does not count."""
    place(tmp_path, "digits", 1, b"broken")
    place(tmp_path, "digits", 2, digits_path.read_bytes())
    models = repository(tmp_path, policy="1")
    assert (models.version("digits").number, models.version("digits").state) == (1, State.FAILED)


def test_policy_for_a_missing_model_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    repository(tmp_path, policy="latest; digit=all")
    assert "names model 'digit', which does not exist" in caplog.text


def test_other_files_and_folders_are_ignored(tmp_path: Path, digits_path: Path) -> None:
    for number in ("1", "01", "-2", "3x", ".4"):
        place(tmp_path, "digits", number, digits_path.read_bytes())
    (tmp_path / "digits" / "5").touch()
    for name in ("lost+found", ".git"):
        (tmp_path / name).mkdir()
    models = repository(tmp_path, policy="all")
    assert models.names() == ["digits"]
    assert states(models) == {1: "ready"}


def test_links_are_followed(tmp_path: Path, digits_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    place(tmp_path, "elsewhere/model", 1, digits_path.read_bytes())
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "digits").symlink_to(tmp_path / "elsewhere" / "model")
    (tmp_path / "store" / "gone").symlink_to(tmp_path / "nowhere")
    models = repository(tmp_path / "store")
    assert models.version("digits").state is State.READY
    assert "gone cannot be read: No such file" in models.version("gone").reason


def test_stopped_start_ends_between_two_models(tmp_path: Path, digits_path: Path) -> None:
    for name in ("a", "b"):
        place(tmp_path, name, 1, digits_path.read_bytes())
    models: Repository

    def load(path: Path) -> Predictor:
        models.stop()
        return load_model(path)

    models = Repository(tmp_path, load, LATEST)
    models.load_all()
    assert not models.loaded
    assert (models.version("a").state, models.version("b").state) == (State.READY, State.LOADING)
    models.poll()
    assert models.version("b").state is State.LOADING


def test_error_for_an_unknown_version_lists_the_known_ones(
    tmp_path: Path, digits_path: Path
) -> None:
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
    with pytest.raises(ModelUnavailableError, match=r"is not ready .loading.: retry"):
        models.predictor("digits")
    models.load_all()
    assert models.loaded
    assert isinstance(models.predictor("digits")[1], Predictor)


def test_unexpected_error_of_one_model_does_not_stop_the_others(
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


def test_unexpected_properties_of_a_ready_model_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The dropout of PyTorch's attention, which its exporter leaves off."""
    torch = ROOT / "tests" / "data" / "torch"
    place(tmp_path, "encoder", 1, (torch / "encoder_legacy.onnx").read_bytes())
    models = repository(tmp_path)
    assert models.version("encoder").state is State.READY
    assert "off in its file and stay off: ['/layers.0/self_attn/Dropout']" in caplog.text
