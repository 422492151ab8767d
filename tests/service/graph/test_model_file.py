import os
import shutil
from pathlib import Path

import onnx
import pytest

from service import load_model
from service.errors import ArtifactError
from service.graph.artifact import read_artifact
from service.repository.registry import MODEL_FILE
from tests.service.graph.external import save_apart


@pytest.fixture
def apart(digits_path: Path, tmp_path: Path) -> Path:
    """The digits model with external weights."""
    path = tmp_path / "digits" / "1" / MODEL_FILE
    path.parent.mkdir(parents=True)
    save_apart(onnx.load(digits_path), path)
    return path


def point(path: Path, location: str, **entries: str) -> None:
    """Change the location of the file's external weights."""
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            entry.value = {"location": location, **entries}.get(entry.key, entry.value)
    onnx.save(model, path)


def test_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / MODEL_FILE
    with path.open("wb") as file:
        file.truncate(1 << 40)
    said = r"is of 1048576 MiB, .* and 2 MiB are allowed\. The setting MCDROPOUT_MAX_MODEL_MB"
    with pytest.raises(ArtifactError, match=said):
        read_artifact(path, max_bytes=2 << 20)
    with pytest.raises(ArtifactError, match="2048 MiB are the maximum for an ONNX graph"):
        read_artifact(path)


def test_external_data_counts_toward_the_limit(apart: Path) -> None:
    size = sum(path.stat().st_size for path in apart.parent.iterdir())
    assert load_model(apart, max_bytes=size).manifest.inputs
    with pytest.raises(ArtifactError, match="its data files included"):
        load_model(apart, max_bytes=size - 1)
    os.truncate(apart.with_name("model.data"), 1 << 40)
    with pytest.raises(ArtifactError, match="is of 1048577 MiB"):
        load_model(apart, max_bytes=4 << 30)


def test_each_tensor_of_a_shared_data_file_counts(apart: Path) -> None:
    point(apart, "model.data", offset="0", length=str(1 << 30))
    os.truncate(apart.with_name("model.data"), 1 << 30)
    with pytest.raises(ArtifactError, match=r"is of \d\d\d\d\d MiB"):
        load_model(apart, max_bytes=4 << 30)


@pytest.mark.parametrize("place", ["../secret", "a/../../secret", "/etc/passwd", "", "."])
def test_data_outside_the_folder_is_refused(apart: Path, place: str) -> None:
    shutil.move(apart.with_name("model.data"), apart.parent.parent / "secret")
    point(apart, place)
    with pytest.raises(ArtifactError, match=r"own folder are read|not a regular file"):
        load_model(apart)


def test_data_through_a_link_is_refused(apart: Path, tmp_path: Path) -> None:
    shutil.move(apart.with_name("model.data"), tmp_path / "secret")
    apart.with_name("model.data").symlink_to(tmp_path / "secret")
    with pytest.raises(ArtifactError, match=r"'model\.data', which is a link"):
        load_model(apart)
    (apart.parent / "up").symlink_to(tmp_path)
    point(apart, "up/secret")
    with pytest.raises(ArtifactError, match="'up/secret', which is a link"):
        load_model(apart)
    loop = apart.with_name("loop")
    loop.symlink_to(loop)
    point(apart, "loop")
    with pytest.raises(ArtifactError, match="'loop', which"):
        load_model(apart)


def test_data_by_a_hard_link_is_refused(apart: Path, tmp_path: Path) -> None:
    os.link(apart.with_name("model.data"), tmp_path / "secret")
    with pytest.raises(ArtifactError, match="hard link"):
        load_model(apart)


def test_data_in_a_folder_below_is_read(apart: Path) -> None:
    (apart.parent / "weights").mkdir()
    shutil.move(apart.with_name("model.data"), apart.parent / "weights" / "model.data")
    point(apart, "weights/model.data")
    assert load_model(apart).manifest.inputs


def test_data_of_a_constant_node_must_be_inside_the_folder(apart: Path) -> None:
    model = onnx.load(apart)
    tensor = model.graph.initializer.pop()
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret")
    constant = onnx.helper.make_node("Constant", [], [tensor.name])
    constant.attribute.append(onnx.helper.make_attribute("value", tensor))
    model.graph.node.insert(0, constant)
    onnx.save(model, apart)
    with pytest.raises(ArtifactError, match=r"'\.\./\.\./secret', and only files in its own"):
        load_model(apart)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda p: p.symlink_to("/dev/zero")])
@pytest.mark.parametrize("name", [MODEL_FILE, "model.data"])
def test_special_files_are_refused_without_waiting(apart: Path, make: object, name: str) -> None:
    place = apart.with_name(name)
    place.unlink()
    make(place)  # type: ignore[operator]
    with pytest.raises(ArtifactError, match=r"not a regular file|is a link|Is a directory"):
        load_model(apart)


def test_linked_model_is_read_with_the_data_beside_its_target(apart: Path, tmp_path: Path) -> None:
    """As Kubernetes mounts files: links into a folder that is replaced as a whole."""
    mounted = tmp_path / "mounted" / "1"
    mounted.mkdir(parents=True)
    shutil.copytree(apart.parent, mounted / "..2026")
    (mounted / "..data").symlink_to("..2026")
    for name in (MODEL_FILE, "model.data"):
        (mounted / name).symlink_to(Path("..data") / name)
    assert load_model(mounted / MODEL_FILE).manifest.inputs


def test_data_entry_with_5000_digits_is_refused(apart: Path) -> None:
    point(apart, "model.data", offset="9" * 5000, length="9" * 5000)
    with pytest.raises(ArtifactError, match="not a whole ONNX file"):
        load_model(apart)
