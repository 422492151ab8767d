import onnx_ir as ir

from service.nodes.reach import named, reach
from tests.service.graph.adopt.foreign import graph

TWO = "[a] p = Dropout(x, half, on) q = Relu(x) [b] r = Dropout(q, half, on) y = Add(p, r)"


def reached(model: ir.Model, *names: str) -> dict[str, set[str]]:
    """Name of a value to the names of the nodes that reach it."""
    found = reach(model.graph, named(model.graph, names))
    return {str(value.name): {str(node.name) for node in nodes} for value, nodes in found.items()}


def test_reach_of_each_value() -> None:
    assert reached(graph(TWO), "a", "b") == {"p": {"a"}, "r": {"b"}, "y": {"a", "b"}}


def test_reach_of_no_nodes_is_empty() -> None:
    assert reached(graph(TWO)) == {}


def test_reach_includes_values_captured_by_a_body() -> None:
    body = (
        "[a] m = Dropout(x, half, on) y = Loop (n, on, x) <body = b (int64 i, bool c, "
        "float[batch, 4] s) => (bool k, float[batch, 4] t) { k = Identity(c) t = Add(s, m) }>"
    )
    constants = "bool on = {1}, float half = {0.5}, int64 n = {3}"
    assert reached(graph(body, constants), "a") == {"m": {"a"}, "y": {"a"}}


def test_reach_of_a_node_in_a_body_includes_the_outputs_of_the_outer_node() -> None:
    body = (
        "y = If (on) <then_branch = t () => (float[batch, 4] u) { [a] u = Dropout(x, half, on) }, "
        "else_branch = e () => (float[batch, 4] v) { v = Identity(x) }>"
    )
    assert reached(graph(body), "a") == {"y": {"a"}}


def test_reach_of_an_input_ends_where_it_is_not_used() -> None:
    model = graph("h = Relu(x) s = Shape(h) z = ConstantOfShape(s) y = Add(x, z)")
    (x,) = model.graph.inputs
    found = reach(model.graph, [x], lambda node: node.op_type != "Shape")
    assert {value.name for value in found} == {"x", "h", "y"}
