"""Links: what is computed of probabilities is what follows from the model's own logits."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from numpy.typing import NDArray

from service import load_model
from service.core.entropy import entropy
from service.errors import ArtifactError
from service.graph.artifact import read_artifact
from service.graph.links import LinkPass
from service.graph.plan import Layout, compile_plan
from service.inference.runner import Draws
from service.runtime.engine import CPU, Engine
from tests.service.graph.adopt.foreign import graph
from tests.service.graph.adopt.test_adopt import TORCH
from tests.service.reference import save

Array = NDArray[Any]
CONSTANTS = "bool on = {1}, float half = {0.5}, int64[1] last = {1}, float two = {2.0}"
X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
PASSES = 40


def model(tmp_path: Path, body: str, outputs: str = "float[batch, 4] y", **said: Any) -> Path:
    path = save(body, tmp_path / "m.onnx", CONSTANTS, "float[batch, 4] x", outputs)
    if said:
        path.with_name("m.mcdropout.json").write_text(json.dumps(said))
    return path


def logits(path: Path) -> dict[str, Array]:
    """Output name to (P, B, …) samples of the model as its file gives it."""
    bare = path.with_name("bare.onnx")
    bare.write_bytes(path.read_bytes())
    sampler = load_model(bare).sampler
    samples = sampler.sample({"x": X}, PASSES, Draws(seed=7))
    return {name: y.astype(np.float64) for name, y in samples.items()}


def softmax(y: Array) -> Array:
    powers = np.exp(y - y.max(axis=-1, keepdims=True))
    shares: Array = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def sigmoid(y: Array) -> Array:
    odds: Array = 1 / (1 + np.exp(-y))
    return odds


LINKS = {"softmax": softmax, "sigmoid": sigmoid}
TASKS = {"softmax": "classification", "sigmoid": "multilabel_classification"}


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize(("dtype", "number"), [("float", 1), ("float16", 10), ("double", 11)])
def test_everything_is_computed_of_probabilities(
    tmp_path: Path, link: str, dtype: str, number: int
) -> None:
    body = f"[d] h = Dropout(x, half, on) m = Mul(h, two) y = Cast <to = {number}> (m)"
    path = model(tmp_path, body, f"{dtype}[batch, 4] y", link=link, task=TASKS[link])
    wanted = LINKS[link](logits(path)["y"])
    linked = load_model(path)
    found = linked.predict(X, PASSES, 7)["y"]
    allowed = 2e-3 if dtype == "float16" else 1e-6
    np.testing.assert_allclose(found.mean, wanted.mean(axis=0), rtol=0, atol=allowed)
    np.testing.assert_allclose(found.variance, wanted.var(axis=0, ddof=1), rtol=0, atol=allowed)
    off = linked.predict_deterministic(X)["y"]
    assert off.dtype == np.dtype(dtype if dtype != "float" else "float32")
    np.testing.assert_allclose(off, LINKS[link](2.0 * X.astype(np.float64)), rtol=0, atol=allowed)


def test_measures_are_of_probabilities(tmp_path: Path) -> None:
    body = "[d] h = Dropout(x, half, on) y = Mul(h, two)"
    path = model(tmp_path, body, link="softmax", task="classification")
    wanted = softmax(logits(path)["y"])
    asked = ["predictive_entropy", "mutual_information"]
    found = load_model(path).predict(X, PASSES, 7, asked)["y"].measures
    total = entropy(wanted.mean(axis=0))
    np.testing.assert_allclose(found[asked[0]], total, atol=1e-6)
    aleatoric = entropy(wanted).mean(axis=0)
    np.testing.assert_allclose(found[asked[1]], total - aleatoric, atol=1e-6)


def test_an_output_that_is_read_inside_is_linked_outside_alone(tmp_path: Path) -> None:
    body = "[d] y = Dropout(x, half, on) z = Mul(y, two)"
    outputs = "float[batch, 4] y, float[batch, 4] z"
    path = model(tmp_path, body, outputs, link={"y": "softmax"})
    own = logits(path)
    found = load_model(path).predict(X, PASSES, 7)
    np.testing.assert_allclose(found["y"].mean, softmax(own["y"]).mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found["z"].mean, own["z"].mean(axis=0), atol=1e-6)


def test_a_fixed_output_is_linked(tmp_path: Path) -> None:
    body = "[d] y = Dropout(x, half, on) z = Mul(x, two)"
    outputs = "float[batch, 4] y, float[batch, 4] z"
    found = load_model(model(tmp_path, body, outputs, link={"z": "softmax"})).predict(X, 5, 7)
    np.testing.assert_allclose(found["z"].mean, softmax(2.0 * X), atol=1e-6)
    assert (found["z"].variance == 0).all()


def test_the_output_of_a_branch_is_linked(tmp_path: Path) -> None:
    yes = "a () => (float[batch, 4] u) { u = Mul(h, two) }"
    no = "b () => (float[batch, 4] v) { v = Neg(h) }"
    body = (
        "[d] h = Dropout(x, half, on) s = ReduceSum <keepdims = 0> (h) c = Greater(s, half) "
        f"y = If(c) <then_branch = {yes}, else_branch = {no}>"
    )
    path = model(tmp_path, body, link="softmax")
    artifact = read_artifact(path)
    assert [node.op_type for node in artifact.model.graph][-2:] == ["If", "Softmax"]
    assert [value.name for value in artifact.model.graph.outputs] == ["y"]


def test_a_name_that_is_taken_is_left_alone() -> None:
    taken = graph("[r] h = Relu(x) [s] y = Neg(h)")
    taken.graph[0].name, taken.graph[0].outputs[0].name = "y/softmax/Softmax", "y/unlinked"
    linked = LinkPass({"y": "softmax"})(taken).model
    onnx.checker.check_model(ir.to_proto(linked), full_check=True)
    engine = Engine(ir.to_proto(linked).SerializeToString(), [CPU])
    np.testing.assert_allclose(engine.run({"x": X})["y"], softmax(-X.clip(0)), atol=1e-6)


def test_outputs_that_the_graph_reduces_are_probabilities(tmp_path: Path) -> None:
    """The plan reduces outputs of many elements in the graph."""
    body = "[d] h = Dropout(x, half, on) u = Unsqueeze(h, last) y = Tile(u, size)"
    constants = f"{CONSTANTS}, int64[3] size = {{1, 4096, 1}}"
    outputs = "float[batch, 4096, 4] y"
    path = save(body, tmp_path / "m.onnx", constants, "float[batch, 4] x", outputs)
    wanted = softmax(logits(path)["y"])
    path.with_name("m.mcdropout.json").write_text('{"link": "softmax", "task": "classification"}')
    assert compile_plan(read_artifact(path), Layout.SPLIT).reduced == {"y"}
    found = load_model(path).predict(X, PASSES, 7)["y"]
    np.testing.assert_allclose(found.mean, wanted.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.variance, wanted.var(axis=0, ddof=1), atol=1e-6)


def test_the_file_stays_as_it_is(tmp_path: Path, digits_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(digits_path.read_bytes())
    path.with_name("model.mcdropout.json").write_text('{"link": "softmax"}')
    before = read_artifact(digits_path)
    after = read_artifact(path)
    assert path.read_bytes() == digits_path.read_bytes()
    assert before.content == digits_path.read_bytes()
    assert after.content != before.content
    assert [n.op_type for n in after.model.graph][-1] == "Softmax"


def test_an_input_that_is_an_output_cannot_be_linked(tmp_path: Path) -> None:
    outputs = "float[batch, 4] y, float[batch, 4] x"
    path = model(tmp_path, "[d] y = Dropout(x, half, on)", outputs, link={"x": "softmax"})
    with pytest.raises(ArtifactError, match="link: output 'x' is an input"):
        read_artifact(path)


def test_a_model_of_a_fixed_batch_is_linked(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    body, outputs = "[d] h = Dropout(x, half, on) y = Mul(h, two)", "float[3, 4] y"
    save(body, path, CONSTANTS, "float[3, 4] x", outputs)
    wanted = softmax(logits(path)["y"]).mean(axis=0)
    path.with_name("m.mcdropout.json").write_text('{"link": "softmax"}')
    np.testing.assert_allclose(load_model(path).predict(X, PASSES, 7)["y"].mean, wanted, atol=1e-6)


def test_a_file_of_pytorch_answers_with_probabilities(tmp_path: Path) -> None:
    facts, path = np.load(TORCH / "mlp_dynamo.npz"), tmp_path / "m.onnx"
    path.write_bytes((TORCH / "mlp_dynamo.onnx").read_bytes())
    said = {"task": "classification", "link": "softmax", "labels": ["a", "b", "c"]}
    path.with_name("m.mcdropout.json").write_text(json.dumps(said))
    model, x = load_model(path), facts["x"][:2]
    off = model.predict_deterministic(x)["y"]
    np.testing.assert_allclose(off, softmax(facts["y_eval"][:2].astype(np.float64)), atol=1e-6)
    found = model.predict(x, PASSES, 7, ["predictive_entropy"])
    np.testing.assert_allclose(found["y"].mean.sum(axis=-1), 1, atol=1e-6)
    entropies = found["y"].measures["predictive_entropy"]
    np.testing.assert_allclose(entropies, entropy(found["y"].mean), atol=1e-12)
