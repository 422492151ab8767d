import json
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from service import load_model
from service.errors import ArtifactError
from service.graph.artifact import find_sites, read_artifact
from service.manifest import METADATA_KEY
from tests.conftest import EditArtifact
from tests.service.graph.adopt.foreign import adopted, graph
from tests.service.graph.external import save_apart


def test_read_artifact_finds_every_site(digits_path: Path) -> None:
    artifact = read_artifact(digits_path)
    sites = find_sites(artifact.model, artifact.manifest, "digits")
    assert [site.layer for site in sites] == ["drop_maps", "drop_features", "drop_hidden"]
    assert all(node.op_type == "Dropout" for node in sites.values())


def test_read_artifact_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="cannot be read: No such file"):
        read_artifact(tmp_path / "model.onnx")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_read_artifact_refuses_a_truncated_file(
    digits_path: Path, tmp_path: Path, share: float
) -> None:
    content = digits_path.read_bytes()
    path = tmp_path / "model.onnx"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ArtifactError, match=r"not a whole ONNX file|has no 'mcdropout.manifest'"):
        read_artifact(path)


def test_read_artifact_adopts_a_file_without_manifest(edit_artifact: EditArtifact) -> None:
    def forget(model: onnx.ModelProto) -> None:
        del model.metadata_props[:]

    artifact = read_artifact(edit_artifact(forget))
    rates = {site.name: site.rate for site in artifact.manifest.sites}
    assert rates == {"drop_maps": 0.1, "drop_features": 0.25, "drop_hidden": 0.5}
    assert artifact.manifest.task == "classification"


def test_read_artifact_reads_external_weights(digits_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    save_apart(onnx.load(digits_path), path)
    assert (tmp_path / "model.data").exists()
    load_model(path)
    (tmp_path / "model.data").unlink()
    with pytest.raises(ArtifactError, match=r"model\.data"):
        read_artifact(path)


def test_read_artifact_refuses_a_manifest_of_another_version(edit_artifact: EditArtifact) -> None:
    def age(model: onnx.ModelProto) -> None:
        (entry,) = (e for e in model.metadata_props if e.key == METADATA_KEY)
        entry.value = entry.value.replace('"format_version":1', '"format_version":9')

    with pytest.raises(ArtifactError, match="format_version: Input should be 1"):
        read_artifact(edit_artifact(age))


def test_read_artifact_refuses_a_rate_that_contradicts_the_manifest(
    edit_artifact: EditArtifact,
) -> None:
    def change(model: onnx.ModelProto) -> None:
        for tensor in model.graph.initializer:
            if tensor.name == "drop_hidden/rate":
                rate = np.array(0.1, np.float32)
                tensor.CopyFrom(onnx.numpy_helper.from_array(rate, tensor.name))

    with pytest.raises(ArtifactError, match=r"'drop_hidden' drops at rate 0\.1.* 0\.5 in the man"):
        read_artifact(edit_artifact(change))


def test_read_artifact_refuses_a_graph_that_lost_a_dropout(edit_artifact: EditArtifact) -> None:
    def drop(model: onnx.ModelProto) -> None:
        (node,) = (n for n in model.graph.node if n.name == "drop_hidden")
        identity = onnx.helper.make_node("Identity", [node.input[0]], list(node.output))
        node.CopyFrom(identity)

    with pytest.raises(ArtifactError, match="no random node for site 'drop_hidden'"):
        read_artifact(edit_artifact(drop))


def test_read_artifact_refuses_a_dropout_missing_in_the_manifest(
    edit_artifact: EditArtifact,
) -> None:
    def rename(model: onnx.ModelProto) -> None:
        (entry,) = (e for e in model.metadata_props if e.key == METADATA_KEY)
        first, second = entry.value.split('"sites":[', 1)
        _site, rest = second.split("},", 1)
        entry.value = f'{first}"sites":[{rest}'

    with pytest.raises(ArtifactError, match=r"random nodes .* does not name: \['drop_maps'\]"):
        read_artifact(edit_artifact(rename))


NOISY = "[n] noise = {op}(x) y = Add(x, noise)"


@pytest.mark.parametrize(
    ("op", "manifest", "message"),
    [
        (
            "RandomNormalLike",
            {"kind": "uniform"},
            "of kind 'uniform' .* its node is RandomNormalLike",
        ),
        (
            "RandomUniformLike",
            {"kind": "normal"},
            "of kind 'normal' .* its node is RandomUniformLike",
        ),
        ("RandomNormalLike", {"kind": "dropout", "rate": 0.5}, "its node is RandomNormalLike"),
        ("RandomNormalLike", {"rate": 0.5}, "of kind 'normal' and rate 0.5 in the manifest"),
        (
            "RandomNormalLike",
            {"kind": "cauchy"},
            "kind 'cauchy', .* draws dropout, spatial_dropout",
        ),
        ("RandomNormalLike<scale = 3.0>", {}, r"RandomNormalLike {'mean': 0.0, 'scale': 3.0}\."),
    ],
)
def test_read_artifact_refuses_draws_that_contradict_the_manifest(
    op: str, manifest: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    plain = adopted(graph(NOISY.format(op=op.split("<")[0])))
    described = json.loads(plain.manifest.model_dump_json())
    described["sites"][0].update(manifest)
    proto = ir.to_proto(plain.model)
    if "<" in op:
        (node,) = (node for node in proto.graph.node if node.name == "n")
        (scale,) = (a for a in node.attribute if a.name == "scale")
        scale.f = 3.0
    onnx.helper.set_model_props(proto, {METADATA_KEY: json.dumps(described)})
    onnx.save(proto, path)
    with pytest.raises(ArtifactError, match=message):
        read_artifact(path)


def test_read_artifact_refuses_a_dropout_that_its_manifest_calls_noise(
    edit_artifact: EditArtifact,
) -> None:
    def change(model: onnx.ModelProto) -> None:
        (entry,) = (e for e in model.metadata_props if e.key == METADATA_KEY)
        entry.value = entry.value.replace(
            '"kind":"dropout","rate":0.5', '"kind":"uniform","rate":null'
        )

    with pytest.raises(ArtifactError, match=r"of kind 'uniform' .* its node is Dropout"):
        read_artifact(edit_artifact(change))


@pytest.mark.parametrize("operator", ["Bernoulli", "Multinomial", "RandomNormalLike"])
def test_read_artifact_refuses_any_other_node_that_draws(
    edit_artifact: EditArtifact, operator: str
) -> None:
    def add(model: onnx.ModelProto) -> None:
        probabilities = model.graph.output[0].name
        node = onnx.helper.make_node(operator, [probabilities], ["tossed"], name="coin")
        model.graph.node.append(node)

    with pytest.raises(ArtifactError, match=r"random nodes .* does not name: \['coin'\]"):
        read_artifact(edit_artifact(add))


@pytest.mark.parametrize("count", [1, 3])
def test_read_artifact_refuses_a_site_that_no_output_depends_on(
    edit_artifact: EditArtifact, count: int
) -> None:
    def bypass(model: onnx.ModelProto) -> None:
        dropouts = [node for node in model.graph.node if node.op_type == "Dropout"]
        around = {node.output[0]: node.input[0] for node in dropouts[-count:]}
        for node in model.graph.node:
            node.input[:] = [around.get(name, name) for name in node.input]

    with pytest.raises(ArtifactError, match=r"no output depends on site 'drop_.*Export the model"):
        read_artifact(edit_artifact(bypass))
