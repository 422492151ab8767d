import numpy as np
import onnx
import onnx_ir as ir
import pytest

from service.nodes.builder import NodeBuilder
from service.nodes.free_names import free_names, free_prefix
from tests.service.graph.adopt.foreign import graph


def builder(model: ir.Model, prefix: str = "new") -> NodeBuilder:
    return NodeBuilder(model.graph, prefix, free_names(model.graph))


def test_new_nodes_replace_a_node() -> None:
    model = graph("[r] h = Relu(x) y = Exp(h)")
    new, old = builder(model), model.graph[0]
    new.replace(old, new.add("Abs", new.add("Neg", old.inputs[0])))
    assert [node.op_type for node in model.graph] == ["Neg", "Abs", "Exp"]
    assert model.graph[1].outputs[0].name == "h"
    onnx.checker.check_model(ir.to_proto(model), full_check=True)


def test_new_nodes_and_constants_get_unused_names() -> None:
    model = graph("[new_Neg] h = Relu(x) y = Exp(h)", "float half = {0.5}")
    model.graph[0].name, model.graph[0].outputs[0].name = "new/Neg", "new/ints"
    new = builder(model)
    made = new.add("Neg", model.graph.inputs[0])
    assert made.producer() is not None
    assert made.name == "new/Neg_2/output"
    assert new.ints(1).name == "new/ints_2"


@pytest.mark.parametrize(("start", "end"), [(0, None), (1, None), (0, 1), (1, 2)])
def test_dims_are_constant_where_they_are_known(start: int, end: int | None) -> None:
    model = graph("y = Relu(x)")
    (x,) = model.graph.inputs
    dims = builder(model).dims(x, start, end)
    if start == 0:
        assert dims.producer() is not None
    else:
        assert dims.const_value is not None
        np.testing.assert_array_equal(dims.const_value.numpy(), [4])


def test_free_prefix_is_not_the_beginning_of_any_name() -> None:
    model = graph("[trunk_a] y = Relu(x)")
    assert free_prefix(model.graph, "trunk") == "trunk/"
    model.graph[0].name = "trunk/a"
    assert free_prefix(model.graph, "trunk") == "trunk_2/"
