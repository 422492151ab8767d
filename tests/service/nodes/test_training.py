import onnx_ir as ir
import pytest

from service.nodes.builder import NodeBuilder
from service.nodes.free_names import free_names
from service.nodes.training import ActiveDropout, find_training, is_active, is_flag, training_input
from tests.service.graph.adopt.foreign import graph


@pytest.mark.parametrize("inputs", ["float[batch, 4] x", "bool training, float[batch, 4] x"])
def test_training_is_the_last_input_and_a_scalar_bool(inputs: str) -> None:
    model = graph("h = Relu(x) y = Exp(h)", inputs=inputs)
    training = training_input(model.graph)
    assert [value.name for value in model.graph.inputs] == ["x", "training"]
    assert find_training(model.graph) is training
    assert is_flag(training)


def test_training_keeps_an_existing_input_of_its_name() -> None:
    model = graph("y = Where(training, x, x)", inputs="bool training, float[batch, 4] x")
    assert model.graph[0].inputs[0] is not training_input(graph("y = Relu(x)").graph)
    assert training_input(model.graph) is model.graph[0].inputs[0]


def test_dropout_is_active_if_rate_and_flag_come_from_nodes() -> None:
    model = graph("[d] y = Dropout(x, half, on)")
    training_input(model.graph)
    old: ir.Node = model.graph[0]
    assert not is_active(old)
    names = free_names(model.graph)
    new = NodeBuilder(model.graph, "d", names)
    new.replace(old, ActiveDropout(model.graph, names).add(new, "d", 0.5, old.inputs[0]))
    (dropout,) = (node for node in model.graph if node.op_type == "Dropout")
    assert is_active(dropout)
