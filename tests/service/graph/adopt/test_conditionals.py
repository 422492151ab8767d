"""Files in which training and inference are the branches of an If."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from service import load_model
from service.errors import ArtifactError
from tests.conftest import SIGMAS
from tests.service.graph.adopt.foreign import ONES, adopted, graph, run, sites

CONSTANTS = "bool on = {1}, bool off = {0}, float half = {0.5}"
#: The same names in both branches, as exporters write them.
DROP = "a () => (float[batch, 4] u) { [d] u = Dropout(x, half, on) }"
PLAIN = "b () => (float[batch, 4] u) { u = Identity(x) }"


def if_on(condition: str, then: str = DROP, other: str = PLAIN) -> str:
    return f"[branch] y = If({condition}) <then_branch = {then}, else_branch = {other}>"


@pytest.mark.parametrize(
    ("body", "flag"),
    [
        (if_on("t"), "bool t"),
        (if_on("t", PLAIN, DROP), "bool t"),
        ("f = And(t, on) " + if_on("f"), "bool t"),
        ("f = Not(t) " + if_on("f", PLAIN, DROP), "bool t"),
        ("n = Not(off) " + if_on("n"), ""),
        (if_on("t", f"c () => (float[batch, 4] w) {{ {if_on('on').replace('y =', 'w =')} }}"),
         "bool t"),
    ],
)  # fmt: skip
def test_a_dropout_in_a_branch_becomes_a_site(body: str, flag: str) -> None:
    inputs = "float[batch, 4] x" + (f", {flag}" if flag else "")
    result = adopted(graph(body, CONSTANTS, inputs=inputs))
    assert sites(result) == {"d": ("dropout", 0.5)}
    assert [value.name for value in result.model.graph.inputs] == ["x", "training"]
    np.testing.assert_array_equal(run(result, training=False)["y"], ONES)
    y = run(result, training=True)["y"]
    assert abs((y == 0).mean() - 0.5) < SIGMAS * 0.5 / np.sqrt(y.size)


def test_branches_with_other_differences_follow_the_switch() -> None:
    double = "b () => (float[batch, 4] u) { two = Constant<value_float = 2.0>() u = Mul(x, two) }"
    model = graph(if_on("t", DROP, double), CONSTANTS, inputs="float[batch, 4] x, bool t")
    result = adopted(model)
    np.testing.assert_array_equal(run(result, training=False)["y"], 2 * ONES)
    assert set(np.unique(run(result, training=True)["y"])) == {0, 2}


def test_a_model_of_two_branches_is_served(tmp_path: Path) -> None:
    """y = Σ x m/(1-p) with p = 0.5 has the variance Σ x²."""
    body = f"{if_on('t').replace('y =', 'h =')} y = ReduceSum<keepdims = 1>(h, axis)"
    constants = f"{CONSTANTS}, int64[1] axis = {{1}}"
    model = graph(body, constants, "float[batch, 4] x, bool t", "float[batch, 1] y")
    onnx.save(ir.to_proto(model), tmp_path / "model.onnx")
    served = load_model(tmp_path / "model.onnx")
    found = served.predict([[1.0, 2.0, 3.0, 4.0]], passes=20_000, seed=1)
    assert abs(found.mean[0, 0] - 10) < SIGMAS * np.sqrt(30 / 20_000)
    assert abs(found.variance[0, 0] / 30 - 1) < SIGMAS * np.sqrt(2 / 20_000)
    assert served.predict_deterministic([[1.0, 2.0, 3.0, 4.0]])["y"] == 10


def test_branches_of_different_shapes_are_refused() -> None:
    narrow = "b () => (float[1, 4] u) { u = Constant<value = float[1, 4] {1, 1, 1, 1}>() }"
    model = graph(if_on("t", DROP, narrow), CONSTANTS, inputs="float[batch, 4] x, bool t")
    with pytest.raises(ArtifactError, match="the branches of If 'branch' draw, and give"):
        adopted(model)


def test_dropout_used_by_the_other_branch_only_is_not_a_site() -> None:
    other = "b () => (float[batch, 4] u) { u = Relu(m) }"
    result = adopted(graph("[a] m = Dropout(x, half, on) " + if_on("on", other=other), CONSTANTS))
    assert list(sites(result)) == ["d"]
