import json
import os
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir
import pytest

from service import annotations
from service.errors import ArtifactError
from service.graph.artifact import read_artifact
from service.manifest import Manifest
from tests.service.graph.adopt.foreign import graph

BODY = "[d] h = Dropout(x, half, on) y = Relu(h)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A foreign file of four logits."""
    path = tmp_path / "model.onnx"
    onnx.save(ir.to_proto(graph(BODY)), path)
    return path


def read(path: Path, said: Any = None) -> Manifest:
    if said is not None:
        path.with_name("model.mcdropout.json").write_text(json.dumps(said))
    return read_artifact(path).manifest


def annotate(path: Path, said: Any) -> None:
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {annotations.METADATA_KEY: json.dumps(said)})
    onnx.save(model, path)


def test_a_sidecar_overrides_what_is_detected(path: Path) -> None:
    before = read(path)
    said = {"task": "classification", "labels": list("abcd"), "link": "softmax", "passes": 30}
    after = read(path, said)
    assert (before.task, after.task) == ("other", "classification")
    assert (after.labels, after.passes) == (tuple("abcd"), 30)
    assert after.outputs[0].link == "softmax"
    assert after.inputs == before.inputs
    assert after.sites == before.sites


def test_a_sidecar_overrides_a_manifest(digits_path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model.onnx"
    copy.write_bytes(digits_path.read_bytes())
    labels = [f"number {n}" for n in range(10)]
    assert read(copy, {"labels": labels}).labels == tuple(labels)


def test_a_sidecar_overrides_annotations_in_the_file(path: Path) -> None:
    annotate(path, {"task": "regression", "passes": 20})
    assert read(path).task == "regression"
    found = read(path, {"task": "other"})
    assert (found.task, found.passes) == ("other", 20)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"task": "boxes"}, "model.mcdropout.json: task: Input should be "),
        ({"link": {"z": "softmax"}}, "model.mcdropout.json: link: there is no output 'z'"),
        (
            {"task": "classification", "labels": ["a"]},
            "model.mcdropout.json: labels: 1 labels were given, and output 'y' has 4 classes.",
        ),
        ({"measures": ["entropy"]}, "model.mcdropout.json: measures: names ['entropy']"),
    ],
)
def test_a_mistake_names_the_sidecar_and_the_field(path: Path, said: Any, message: str) -> None:
    with pytest.raises(ArtifactError) as raised:
        read(path, said)
    assert f"{path.parent}/{message}" in str(raised.value)


def test_a_mistake_in_the_file_names_its_metadata(path: Path) -> None:
    annotate(path, {"passes": 0})
    with pytest.raises(ArtifactError, match=r"m.*\.onnx, metadata 'mcdropout\.annotations': pass"):
        read(path)


def test_a_sidecar_that_cannot_be_read_is_no_sidecar_that_is_not_there(path: Path) -> None:
    sidecar = path.with_name("model.mcdropout.json")
    sidecar.symlink_to("nowhere")
    with pytest.raises(ArtifactError, match=r"model\.mcdropout\.json cannot be read: No such file"):
        read(path)
    sidecar.unlink()
    os.mkfifo(sidecar)
    with pytest.raises(ArtifactError, match=r"model\.mcdropout\.json is not a regular file"):
        read(path)
    sidecar.unlink()
    sidecar.write_bytes(b" " * ((16 << 20) + 1))
    with pytest.raises(ArtifactError, match=r"more than the 16 MiB that a sidecar may"):
        read(path)


def test_a_sidecar_may_be_a_link_of_the_operator(path: Path, tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "said").write_text('{"task": "regression"}')
    path.with_name("model.mcdropout.json").symlink_to("..data/said")
    assert read(path).task == "regression"
