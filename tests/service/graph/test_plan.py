from pathlib import Path

import onnx
import pytest

from service.graph.artifact import read_artifact
from service.graph.draws_as_inputs import draw_input
from service.graph.plan import Plan, compile_plan


@pytest.fixture(scope="module")
def plan(digits_path: Path) -> Plan:
    return compile_plan(read_artifact(digits_path))


def test_plan_is_a_pure_function_of_rows_and_draws(plan: Plan) -> None:
    model = onnx.load_model_from_string(plan.model)
    onnx.checker.check_model(model, full_check=True)
    drawing = {"Dropout", "RandomUniform", "RandomNormal", "RandomUniformLike", "Bernoulli"}
    assert not drawing & {node.op_type for node in model.graph.node}
    names = [value.name for value in model.graph.input]
    assert names == ["pixels", *(draw_input(site) for site in plan.sites)]


def test_plan_leaves_the_artifact_as_it_was(digits_path: Path) -> None:
    artifact = read_artifact(digits_path)
    before = [node.op_type for node in artifact.model.graph]
    compile_plan(artifact)
    assert [node.op_type for node in artifact.model.graph] == before


def test_plan_of_static_shapes_needs_no_shape_graph(plan: Plan) -> None:
    assert plan.shapes is None
