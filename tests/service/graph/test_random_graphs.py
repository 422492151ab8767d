"""Plans of random graphs equal each graph's own samples, row by row and pass by pass."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.inference.runner import Draws
from tests.service.reference import loaded, own_samples, save

#: Each maps a tensor (batch, 3, 4) to another one; {x} is its input, {r} any earlier tensor.
OPERATORS = (
    "MatMul({x}, w)",
    "Relu({x})",
    "Add({x}, {r})",
    "Mul({x}, {r})",
    "Softmax({x})",
    "LayerNormalization({x}, gain)",
    # With another order of the axes, where the batch is in the middle or last.
    "TRANSPOSED",
    # With a shape that is computed from the tensor's shape.
    "RESHAPED",
    "FLATTENED",
    # A tensor that depends on a shape only, as the initial state of a recurrent layer.
    "ZEROS",
    "DROPOUT",
    "MERGED DROPOUT",
    "BATCH IN THE MIDDLE DROPOUT",
    "SHARED ALONG AN AXIS",
)
CONSTANTS = (
    "float[4, 4] w = {0.9, -0.3, 0.2, 0.1, 0.4, 0.8, -0.5, 0.3, -0.2, 0.6, 0.7, -0.4, 0.1, 0.2, "
    "-0.6, 0.9}, float[4] gain = {1, 1.1, 0.9, 1}, bool on = {1}, float half = {0.5}, "
    "float third = {0.3}, int64[2] merged = {-1, 4}, int64[3] split = {-1, 3, 4}, "
    "int64[1] first = {0}, int64[1] flat = {-1}, int64[2] ones = {1, 1}, int64[2] rest = {3, 4}"
)


def node(operator: str, x: str, earlier: str, y: str) -> str:
    """The text of the nodes that compute `y`."""
    match operator:
        case "TRANSPOSED":
            return (
                f"{y}a = Transpose <perm = [1, 0, 2]> ({x}) {y}b = MatMul({y}a, w) "
                f"{y} = Transpose <perm = [1, 0, 2]> ({y}b)"
            )
        case "RESHAPED":
            return (
                f"{y}s = Shape({x}) {y}a = Reshape({x}, merged) {y}b = MatMul({y}a, w) "
                f"{y} = Reshape({y}b, {y}s)"
            )
        case "FLATTENED":
            return (
                f"{y}n = Shape <start = 0, end = 1> ({x}) {y}t = Concat <axis = 0> ({y}n, flat) "
                f"{y}a = Reshape({x}, {y}t) {y}b = Relu({y}a) {y} = Reshape({y}b, split)"
            )
        case "ZEROS":
            return (
                f"{y}n = Shape <start = 0, end = 1> ({x}) {y}t = Concat <axis = 0> ({y}n, rest) "
                f"{y}z = ConstantOfShape({y}t) {y} = Sub({x}, {y}z)"
            )
        case "DROPOUT":
            return f"[{y}d] {y} = Dropout({x}, half, on)"
        case "MERGED DROPOUT":
            return (
                f"{y}a = Reshape({x}, merged) [{y}d] {y}b = Dropout({y}a, third, on) "
                f"{y} = Reshape({y}b, split)"
            )
        case "BATCH IN THE MIDDLE DROPOUT":
            return (
                f"{y}a = Transpose <perm = [1, 0, 2]> ({x}) [{y}d] {y}b = Dropout({y}a, half, on) "
                f"{y} = Transpose <perm = [1, 0, 2]> ({y}b)"
            )
        case "SHARED ALONG AN AXIS":
            return (
                f"{y}n = Shape <start = 0, end = 1> ({x}) {y}t = Concat <axis = 0> ({y}n, ones) "
                f"{y}o = ConstantOfShape <value = float[1] {{1}}> ({y}t) "
                f"[{y}d] {y}b = Dropout({y}o, half, on) {y} = Mul({x}, {y}b)"
            )
    return f"{y} = {operator.format(x=x, r=earlier)}"


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """Nodes from x to y and z, with at least one dropout."""
    count = draw(st.integers(2, 8))
    chosen = [draw(st.sampled_from(OPERATORS)) for _ in range(count)]
    chosen[draw(st.integers(0, count - 1))] = "DROPOUT"
    made, texts = ["x"], []
    for index, operator in enumerate(chosen):
        # Mostly the newest tensor, which makes the graph deep; otherwise a branch.
        x = draw(st.sampled_from([made[-1], made[-1], *made]))
        texts.append(node(operator, x, draw(st.sampled_from(made)), f"v{index}"))
        made.append(f"v{index}")
    dropped = f"v{chosen.index('DROPOUT')}"
    texts.append(f"y = Add({made[-1]}, {dropped}) z = Identity({draw(st.sampled_from(made))})")
    return " ".join(texts)


@pytest.mark.slow
@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(body=bodies(), per_row=st.booleans())
def test_plan_equals_each_row_of_each_pass_alone(body: str, per_row: bool) -> None:
    shape = "float[batch, 3, 4]"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        save(body, path, CONSTANTS, f"{shape} x", f"{shape} y, {shape} z")
        artifact, model = loaded(path)
    rows = {"x": np.random.default_rng(0).standard_normal((3, 3, 4)).astype(np.float32)}
    draws = Draws(seed=7, masks="per_row" if per_row else "shared")
    found = model.sampler.sample(rows, 4, draws)
    wanted = own_samples(artifact, rows, 4, 7, per_row)
    for name in ("y", "z"):
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-4, atol=1e-5)
