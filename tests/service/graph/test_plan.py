from pathlib import Path

import onnx
import pytest

from service.graph.artifact import read_artifact
from service.graph.place import draw_input, scale_input
from service.graph.plan import Layout, Plan, compile_plan

DRAWING = {"Dropout", "RandomUniform", "RandomNormal", "RandomUniformLike", "Bernoulli"}


@pytest.fixture(scope="module")
def plan(digits_path: Path) -> Plan:
    return compile_plan(read_artifact(digits_path))


def test_plan_is_two_pure_functions(plan: Plan) -> None:
    assert plan.trunk is not None
    trunk, tail = map(onnx.load_model_from_string, (plan.trunk, plan.tail))
    for model in (trunk, tail):
        onnx.checker.check_model(model, full_check=True)
        assert not DRAWING & {node.op_type for node in model.graph.node}
    assert [value.name for value in trunk.graph.input] == ["pixels"]
    draws = {draw_input(site) for site in plan.sites} | {scale_input(site) for site in plan.sites}
    carried = {value.name for value in trunk.graph.output}
    assert {value.name for value in tail.graph.input} == draws | carried


def test_plan_runs_the_layers_before_the_first_site_in_the_trunk_alone(plan: Plan) -> None:
    assert plan.trunk is not None
    trunk, tail = map(onnx.load_model_from_string, (plan.trunk, plan.tail))
    convolutions = [sum(n.op_type == "Conv" for n in m.graph.node) for m in (trunk, tail)]
    assert convolutions == [1, 1]


def test_tiled_plan_has_no_trunk(digits_path: Path) -> None:
    plan = compile_plan(read_artifact(digits_path), Layout.TILED)
    assert plan.trunk is None
    assert plan.cut.frontier == ("pixels",)


def test_plan_leaves_the_artifact_as_it_was(digits_path: Path) -> None:
    artifact = read_artifact(digits_path)
    before = [node.op_type for node in artifact.model.graph]
    compile_plan(artifact)
    assert [node.op_type for node in artifact.model.graph] == before


def test_plan_of_static_shapes_needs_no_shape_graph(plan: Plan) -> None:
    assert plan.shapes is None


def test_whole_is_trunk_and_tail_one_after_the_other(plan: Plan) -> None:
    assert plan.whole is not None
    whole = onnx.load_model_from_string(plan.whole)
    onnx.checker.check_model(whole, full_check=True)
    names = {value.name for value in whole.graph.input}
    draws = {draw_input(site) for site in plan.sites} | {scale_input(site) for site in plan.sites}
    assert names == {"pixels"} | draws
    assert [value.name for value in whole.graph.output] == ["probabilities"]
