from pathlib import Path

import onnx
import onnx_ir as ir
import pytest

from service.graph.artifact import read_artifact
from service.graph.place import draw_input, scale_input
from service.graph.plan import Layout, Plan, compile_plan
from tests.service.graph.adopt.foreign import graph

DRAWING = {"Dropout", "RandomUniform", "RandomNormal", "RandomUniformLike", "Bernoulli"}


@pytest.fixture(scope="module")
def plan(digits_path: Path) -> Plan:
    return compile_plan(read_artifact(digits_path))


def test_plan_is_two_deterministic_functions(plan: Plan) -> None:
    assert plan.trunk is not None
    trunk, tail = map(onnx.load_model_from_string, (plan.trunk, plan.tail))
    for model in (trunk, tail):
        onnx.checker.check_model(model, full_check=True)
        assert not DRAWING & {node.op_type for node in model.graph.node}
    assert [value.name for value in trunk.graph.input] == ["pixels"]
    draws = {draw_input(site) for site in plan.sites} | {scale_input(site) for site in plan.sites}
    carried = {value.name for value in trunk.graph.output}
    assert {value.name for value in tail.graph.input} == draws | carried


def test_plan_runs_layers_before_the_first_site_in_the_trunk(plan: Plan) -> None:
    assert plan.trunk is not None
    trunk, tail = map(onnx.load_model_from_string, (plan.trunk, plan.tail))
    convolutions = [sum(n.op_type == "Conv" for n in m.graph.node) for m in (trunk, tail)]
    assert convolutions == [1, 1]


def test_tiled_plan_has_no_trunk(digits_path: Path) -> None:
    plan = compile_plan(read_artifact(digits_path), Layout.TILED)
    assert plan.trunk is None
    assert plan.cut.frontier == ("pixels",)


def test_plan_does_not_change_the_artifact(digits_path: Path) -> None:
    artifact = read_artifact(digits_path)
    before = [node.op_type for node in artifact.model.graph]
    compile_plan(artifact)
    assert [node.op_type for node in artifact.model.graph] == before


def test_plan_of_static_shapes_needs_no_shape_graph(plan: Plan) -> None:
    assert plan.shapes is None


def test_whole_is_trunk_followed_by_tail(plan: Plan) -> None:
    assert plan.whole is not None
    whole = onnx.load_model_from_string(plan.whole)
    onnx.checker.check_model(whole, full_check=True)
    names = {value.name for value in whole.graph.input}
    draws = {draw_input(site) for site in plan.sites} | {scale_input(site) for site in plan.sites}
    assert names == {"pixels"} | draws
    assert [value.name for value in whole.graph.output] == ["probabilities"]


def compiled(tmp_path: Path, model: ir.Model) -> Plan:
    onnx.save(ir.to_proto(model), tmp_path / "model.onnx")
    return compile_plan(read_artifact(tmp_path / "model.onnx"))


def operators(model: bytes) -> set[str]:
    return {node.op_type for node in onnx.load_model_from_string(model).graph.node}


def test_dropout_on_an_input_takes_its_rows_without_repetition(tmp_path: Path) -> None:
    tail = onnx.load_model_from_string(
        compiled(tmp_path, graph("[d] y = Dropout(x, half, on)")).tail
    )
    assert "Expand" not in {node.op_type for node in tail.graph.node}


def test_whole_has_distinct_names_for_trunk_and_tail(tmp_path: Path) -> None:
    """The trunk's names get a prefix, and a name of the tail may begin with it."""
    body = "b = Relu(x) a = Exp(b) [d] h = Dropout(a, half, on) k = Relu(h) y = Exp(k)"
    model = graph(body)
    model.graph[3].outputs[0].name = "trunk/b"
    whole = compiled(tmp_path, model).whole
    assert whole is not None
    onnx.checker.check_model(onnx.load_model_from_string(whole), full_check=True)


def test_trunk_leaves_out_a_draw_captured_by_a_later_loop(tmp_path: Path) -> None:
    body = (
        "a = Relu(x) [d] m = Dropout(a, half, on) y = Loop (n, on, x) <body = b (int64 i, bool c, "
        "float[batch, 4] s) => (bool k, float[batch, 4] t) { k = Identity(c) t = Add(s, m) }>"
    )
    constants = "bool on = {1}, float half = {0.5}, int64 n = {3}"
    trunk = compiled(tmp_path, graph(body, constants)).trunk
    assert trunk is not None
    assert {n.op_type for n in onnx.load_model_from_string(trunk).graph.node} == {
        "Relu",
        "Identity",
    }
