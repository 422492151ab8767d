"""The task of a foreign file, by what its outputs end in."""

import logging
from pathlib import Path

import onnx
import onnx_ir as ir
import pytest

from service.graph.artifact import read_artifact
from tests.service.graph.adopt.foreign import adopted, graph
from tests.service.graph.adopt.test_adopt import TORCH

CONSTANTS = (
    "bool on = {1}, float half = {0.5}, int64[1] last = {1}, int64[3] apart = {-1, 1, 4}, "
    "int64[3] other = {-1, 2, 2}, int64[2] back = {-1, 4}, int64[1] sum = {3}"
)
SEEN = "[d] h = Dropout(x, half, on) "
FOUR, WHOLE, LAST = "float[batch, 4] y", "float[batch, 1] y", "float[batch] y"
CLASSES, LABELS, OTHER = "classification", "multilabel_classification", "other"


def task(body: str, outputs: str = FOUR, inputs: str = "float[batch, 4] x", opset: int = 18) -> str:
    model = graph(SEEN + body, CONSTANTS, inputs, outputs, opset)
    return str(adopted(model).manifest.task)


@pytest.mark.parametrize(
    ("body", "outputs", "expected"),
    [
        ("y = Softmax(h)", FOUR, CLASSES),
        ("y = Softmax <axis = 1> (h)", FOUR, CLASSES),
        ("y = Softmax <axis = 0> (h)", FOUR, OTHER),
        ("y = Sigmoid(h)", FOUR, LABELS),
        ("m = ReduceMax <keepdims = 1> (h, last) y = Sigmoid(m)", WHOLE, CLASSES),
        ("m = ReduceMax <keepdims = 1> (h, last) y = Softmax(m)", WHOLE, OTHER),
        ("m = ReduceMax <keepdims = 0> (h, last) y = Sigmoid(m)", LAST, LABELS),
        ("y = LogSoftmax(h)", FOUR, OTHER),
        ("y = HardSigmoid(h)", FOUR, OTHER),
        ("y = Relu(h)", FOUR, OTHER),
        ("s = Softmax(h) y = Mul(s, half)", FOUR, OTHER),
        ("y = Sigmoid(h) z = Softmax(h)", f"{FOUR}, float[batch, 4] z", OTHER),
        ("y = Softmax(h) z = Softmax(x)", f"{FOUR}, float[batch, 4] z", CLASSES),
        ("y = Softmax(h) z = Relu(h)", f"{FOUR}, float[batch, 4] z", OTHER),
        (
            "m = ReduceMax <keepdims = 1> (h, last) y = Sigmoid(m) z = Softmax(h)",
            f"{WHOLE}, float[batch, 4] z",
            CLASSES,
        ),
        (
            "m = ReduceMax <keepdims = 1> (h, last) y = Sigmoid(m) z = Sigmoid(h)",
            f"{WHOLE}, float[batch, 4] z",
            LABELS,
        ),
    ],
)
def test_task_is_that_of_what_the_outputs_end_in(body: str, outputs: str, expected: str) -> None:
    assert task(body, outputs) == expected


@pytest.mark.parametrize(
    ("body", "outputs", "expected"),
    [
        ("s = Softmax(h) y = Identity(s)", FOUR, CLASSES),
        ("s = Softmax(h) y = Cast <to = 11> (s)", "double[batch, 4] y", CLASSES),
        ("s = Softmax(h) y = Cast <to = 7> (s)", "int64[batch, 4] y", OTHER),
        ("s = Softmax(h) y = Reshape(s, apart)", "float[batch, 1, 4] y", CLASSES),
        ("s = Softmax(h) y = Unsqueeze(s, last)", "float[batch, 1, 4] y", CLASSES),
        ("s = Softmax(h) y = Reshape(s, other)", "float[batch, 2, 2] y", OTHER),
        ("s = Sigmoid(h) y = Reshape(s, other)", "float[batch, 2, 2] y", LABELS),
        ("s = Softmax(h) y = Transpose <perm = [1, 0]> (s)", "float[four, batch] y", OTHER),
        (
            "m = ReduceMax <keepdims = 1> (h, last) s = Sigmoid(m) y = Squeeze(s, last)",
            LAST,
            LABELS,
        ),
    ],
)
def test_task_is_seen_through_what_moves_elements(body: str, outputs: str, expected: str) -> None:
    assert task(body, outputs) == expected


@pytest.mark.parametrize(
    ("body", "outputs", "expected"),
    [
        # As PyTorch writes maps of classes: the last axis is not that of the classes.
        ("y = Softmax <axis = 1> (h)", "float[batch, 3, 5, 5] y", OTHER),
        (
            "s = Softmax <axis = 1> (h) y = Transpose <perm = [0, 2, 3, 1]> (s)",
            "float[batch, 5, 5, 3] y",
            CLASSES,
        ),
        (
            "m = GlobalAveragePool(h) s = Softmax <axis = 1> (m) y = Flatten(s)",
            "float[batch, 3] y",
            CLASSES,
        ),
        ("y = Sigmoid(h)", "float[batch, 3, 5, 5] y", LABELS),
    ],
)
def test_task_of_maps_depends_on_the_axis(body: str, outputs: str, expected: str) -> None:
    assert task(body, outputs, "float[batch, 3, 5, 5] x") == expected


def test_a_reshape_of_unknown_sizes_hides_the_classes() -> None:
    body = "s = Softmax(h) n = Shape(s) y = Reshape(s, n)"
    inputs, outputs = "float[batch, words] x", "float[batch, any] y"
    assert task(body, outputs, inputs) == OTHER


@pytest.mark.parametrize(("axis", "expected"), [(1, CLASSES), (0, OTHER)])
def test_an_older_softmax_is_taken_over_all_axes_behind(axis: int, expected: str) -> None:
    assert task(f"y = Softmax <axis = {axis}> (h)", opset=12) == expected


def test_an_output_of_a_branch_is_not_looked_into() -> None:
    yes = "a () => (float[batch, 4] u) { u = Softmax(h) }"
    no = "b () => (float[batch, 4] v) { v = Identity(h) }"
    total = "s = ReduceSum <keepdims = 0> (h) w = Greater(s, half) "
    body = f"{total} y = If(w) <then_branch = {yes}, else_branch = {no}>"
    assert task(body) == OTHER


@pytest.mark.parametrize("link", [None, "softmax"])
def test_logarithms_of_probabilities_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, link: str | None
) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(ir.to_proto(graph(SEEN + "y = LogSoftmax(h)", CONSTANTS)), path)
    if link:
        path.with_name("m.mcdropout.json").write_text(f'{{"link": "{link}"}}')
    with caplog.at_level(logging.WARNING):
        read_artifact(path)
    assert ("'y' ends in LogSoftmax" in caplog.text) is (link is None)


def test_what_pytorch_writes_of_logits_is_other() -> None:
    assert adopted(ir.load(TORCH / "mlp_dynamo.onnx")).manifest.task == OTHER
