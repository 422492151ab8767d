import os
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from service.errors import ArtifactError
from service.graph.beside import model_sha256, read_calibration
from tests.service.graph.external import save_apart


@pytest.fixture
def path(digits_path: Path, tmp_path: Path) -> Path:
    """A model with its weights in a data file."""
    path = tmp_path / "model.onnx"
    save_apart(onnx.load(digits_path), path)
    return path


def test_read_calibration_of_a_model_without_one(path: Path) -> None:
    assert read_calibration(path) is None


def test_read_calibration_refuses_a_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("calibration.json"))
    with pytest.raises(ArtifactError, match=r"calibration\.json is not a regular file"):
        read_calibration(path)


def test_read_calibration_refuses_a_broken_link(path: Path) -> None:
    path.with_name("calibration.json").symlink_to("nowhere.json")
    with pytest.raises(ArtifactError, match=r"calibration\.json cannot be read: No such file"):
        read_calibration(path)


def test_model_sha256_is_the_same_in_another_folder(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("model.onnx", "model.data"):
        (other / name).write_bytes((tmp_path / name).read_bytes())
    assert model_sha256(other / "model.onnx") == model_sha256(path)


def _note(path: Path) -> None:
    model = onnx.load(path, load_external_data=False)
    onnx.helper.set_model_props(model, {"note": "changed"})
    onnx.save(model, path)


def _append(path: Path) -> None:
    data = path.with_name("model.data")
    data.write_bytes(data.read_bytes() + b"0")


def _add_sidecar(path: Path) -> None:
    path.with_name("model.mcdropout.json").write_text("{}")


@pytest.mark.parametrize("change", [_note, _append, _add_sidecar])
def test_model_sha256_changes_with_each_file(path: Path, change: Callable[[Path], None]) -> None:
    before = model_sha256(path)
    change(path)
    assert model_sha256(path) != before


def test_model_sha256_ignores_other_files(path: Path) -> None:
    before = model_sha256(path)
    path.with_name("calibration.json").write_text("{}")
    assert model_sha256(path) == before


def test_model_sha256_of_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ArtifactError, match="cannot be read as an ONNX file"):
        model_sha256(tmp_path / "model.onnx")
