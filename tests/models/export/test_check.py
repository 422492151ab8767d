"""Corrupt a good artifact in each way that an export can fail; a check refuses it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from models.export.check import Expected, Reference, check_artifact
from service.core.rounding import allowed
from service.core.tolerances import LEAST
from service.errors import ExportError
from service.manifest import METADATA_KEY, Checks, Manifest, parse_manifest
from tests.conftest import STORE, EditArtifact

Change = Callable[[onnx.ModelProto], None]


def node(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    nodes: dict[str, onnx.NodeProto] = {node.name: node for node in model.graph.node}
    return nodes[name]


def set_constant(model: onnx.ModelProto, name: str, value: NDArray[np.generic]) -> None:
    (tensor,) = (t for t in model.graph.initializer if t.name == name)
    tensor.CopyFrom(onnx.numpy_helper.from_array(value, name))


def flag_from_graph_input(model: onnx.ModelProto) -> None:
    """ONNX Runtime deletes a Dropout whose training_mode is a graph input."""
    for name in ("drop_maps", "drop_features", "drop_hidden"):
        node(model, name).input[1:] = [f"{name}/rate", "training"]


def flag_constant(model: onnx.ModelProto) -> None:
    on = onnx.numpy_helper.from_array(np.array(True), "always")
    model.graph.initializer.append(on)
    node(model, "drop_hidden").input[1:] = ["drop_hidden/rate", "always"]


def other_rate(model: onnx.ModelProto) -> None:
    set_constant(model, "drop_hidden/rate", np.array(0.4, np.float32))


def other_weights(model: onnx.ModelProto) -> None:
    """A bias that differs from that of the Keras model."""
    (bias,) = (t for t in model.graph.initializer if tuple(t.dims) == (10,) and t.data_type == 1)
    value = onnx.numpy_helper.to_array(bias) + np.linspace(0, 1, 10, dtype=np.float32)
    set_constant(model, bias.name, value)


def moved_by_training(model: onnx.ModelProto) -> None:
    """Something other than dropout depends on the flag, such as a BatchNormalization."""
    final = model.graph.node[-1]
    final.output[0] = "before"
    one, two = (
        onnx.numpy_helper.from_array(np.array(v, np.float32), n)
        for v, n in ((1.0, "factor/off"), (1.01, "factor/on"))
    )
    model.graph.initializer.extend([one, two])
    make = onnx.helper.make_node
    model.graph.node.extend(
        [
            make("Where", ["training/on", "factor/on", "factor/off"], ["factor"]),
            make("Mul", ["before", "factor"], ["probabilities"]),
        ]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            flag_from_graph_input,
            "dropout of drop_maps, drop_features, drop_hidden is not in the graph that ONNX",
        ),
        (flag_constant, "the dropout of drop_hidden is not in the graph that ONNX Runtime runs"),
        (other_rate, r"'drop_hidden' has rate 0\.5, and the exported one drops 0\.[34]"),
        (other_weights, "with training=false the exported model differs from Keras by"),
        (moved_by_training, "so something other than dropout changed"),
    ],
)
def test_check_refuses(edit_artifact: EditArtifact, change: Change, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        run_check(edit_artifact(change))


def test_check_accepts_the_artifact(digits_path: Path) -> None:
    checks = run_check(digits_path)
    assert checks.off_difference == 0
    assert checks.spread["probabilities"] > 0


def run_check(path: Path) -> Checks:
    """Compare with the output of the good artifact, which was compared with Keras before."""
    good = STORE / "digits" / "1" / "model.onnx"
    manifest = manifest_of(good)
    rows = np.random.default_rng(0).uniform(0, 16, (8, 64)).astype(np.float32)
    session = onnxruntime.InferenceSession(good)
    wanted = session.run(None, {"pixels": rows, "training": np.array(False)})
    answer = Reference(wanted, [allowed(y, [y], LEAST) for y in wanted])
    expected = Expected({"pixels": rows}, answer, answer)
    return check_artifact(path, manifest, expected)


def manifest_of(path: Path) -> Manifest:
    properties = {p.key: p.value for p in onnx.load(path).metadata_props}
    return parse_manifest(properties[METADATA_KEY], str(path))
