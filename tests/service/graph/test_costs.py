from pathlib import Path

import numpy as np
import onnx
import pytest

from service.graph.costs import CostModel, costs


def model(body: str, inputs: str, outputs: str, constants: str = "") -> bytes:
    text = (
        '<ir_version: 8, opset_import: ["": 18]>\n'
        f"g ({inputs}) => ({outputs}) {'<' + constants + '>' if constants else ''} {{ {body} }}"
    )
    content: bytes = onnx.parser.parse_model(text).SerializeToString()
    return content


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("body", "feeds", "wanted"),
    [
        ("y = MatMul(a, b)", {"a": zeros(3, 4), "b": zeros(4, 5)}, 60),
        ("y = MatMul(a, b)", {"a": zeros(2, 7, 3, 4), "b": zeros(4, 5)}, 2 * 7 * 60),
        ("y = Gemm(a, b)", {"a": zeros(3, 4), "b": zeros(4, 5)}, 60),
        ("y = Gemm <transB = 1> (a, b)", {"a": zeros(3, 4), "b": zeros(5, 4)}, 60),
        ("y = Conv(a, b)", {"a": zeros(2, 3, 10, 10), "b": zeros(8, 3, 3, 3)}, 2 * 8 * 64 * 27),
        (
            "y = Conv <group = 3> (a, b)",
            {"a": zeros(1, 3, 10, 10), "b": zeros(3, 1, 3, 3)},
            3 * 64 * 9,
        ),
        ("y = ConvTranspose(a, b)", {"a": zeros(1, 3, 10, 10), "b": zeros(3, 8, 2, 2)}, 300 * 32),
        ("y = Relu(a)", {"a": zeros(3, 4)}, 0),
    ],
)
def test_multiply_adds(body: str, feeds: dict[str, np.ndarray], wanted: int) -> None:
    inputs = ", ".join(f"float[{', '.join('n' for _ in x.shape)}] {k}" for k, x in feeds.items())
    graph = model(body, inputs, "float y")
    assert costs(graph, feeds).multiply_adds == wanted


def test_recurrent_layers_and_loops_count_each_step() -> None:
    body = "s, h = LSTM <hidden_size = 6> (x, w, r) y = Identity(s)"
    inputs = "float[t, b, i] x, float[d, g, i] w, float[d, g, h] r"
    feeds = {"x": zeros(5, 2, 3), "w": zeros(1, 24, 3), "r": zeros(1, 24, 6)}
    assert costs(model(body, inputs, "float y"), feeds).multiply_adds == 5 * 2 * 24 * 9
    body = (
        "y = Loop (n, on, x) <body = b (int64 i, bool c, float[3, 4] s) "
        "=> (bool k, float[3, 4] t) { k = Identity(c) t = MatMul(s, w) }>"
    )
    loop = model(body, "float[3, 4] x, float[4, 4] w", "float y", "int64 n = {7}, bool on = {1}")
    assert costs(loop, {"x": zeros(3, 4), "w": zeros(4, 4)}).multiply_adds in (0, 7 * 48)


def test_bytes_are_those_needed_at_the_same_time() -> None:
    """x stays, since it is an input; a is freed when c is computed."""
    body = "a = Relu(x) b = Relu(a) c = Relu(b) y = Identity(c)"
    found = costs(model(body, "float[n, 10] x", "float y"), {"x": zeros(5, 10)})
    assert found.bytes == 3 * 5 * 10 * 4


def test_shapes_from_inputs_are_propagated(digits_path: Path) -> None:
    body = "a = Reshape(x, shape) y = MatMul(a, w)"
    graph = model(body, "float[n] x, int64[2] shape, float[4, 5] w", "float y")
    feeds = {"x": zeros(12), "shape": np.array([3, 4]), "w": zeros(4, 5)}
    assert costs(graph, feeds).multiply_adds == 60


def test_costs_behind_an_input_are_those_of_what_is_computed_from_it() -> None:
    body = "a = MatMul(x, w) b = Mul(a, m) c = MatMul(b, w) y = MatMul(c, x)"
    graph = model(body, "float[n, n] x, float[n, n] m, float[n, n] w", "float y")
    feeds = {"x": zeros(3, 3), "m": zeros(3, 3), "w": zeros(3, 3)}
    found = CostModel(graph, behind="m")(feeds)
    assert (found.multiply_adds, found.behind) == (3 * 27, 2 * 27)
    assert costs(graph, feeds).behind == 0
