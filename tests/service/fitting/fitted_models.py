"""Small models in ONNX's text form with known answers, and data for them."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from service.annotations import Annotations
from service.cli.annotated_copy import write_annotated
from service.evaluation.data import Labeled, labeled
from service.inference.load import load_uncalibrated
from service.inference.predictor import Predictor
from service.manifest import NoiseSpec
from tests.service.graph.adopt.foreign import graph

Array = np.ndarray[Any, Any]

#: Rate of the dropout before the sum of three inputs, and weight of one of them.
RATE, WEIGHT = 0.2, 2.0


def saved(folder: Path, model: ir.Model, said: Annotations) -> Path:
    """A model file."""
    path = folder / "model.onnx"
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(ir.to_proto(model), path)
    write_annotated(path, path, said)
    return path


def sum_model(folder: Path) -> Path:
    """y = WEIGHT × the sum of three inputs after a dropout.

    The variance over passes of a row is RATE/(1 - RATE) × WEIGHT² × Σ x².
    """
    body = "d = Dropout(x, rate, on) s = ReduceSum(d, axis) y = Mul(s, weight)"
    constants = f"bool on = {{1}}, float rate = {{{RATE}}}, int64[1] axis = {{1}}, "
    constants += f"float weight = {{{WEIGHT}}}"
    model = graph(body, constants, "float[batch, 3] x", "float[batch, 1] y")
    return saved(folder, model, Annotations(task="regression", passes=200))


def noisy_model(folder: Path) -> Path:
    """The same sum, and log σ² = x₀ of the noise of its targets in a second column."""
    body = (
        "d = Dropout(x, rate, on) s = ReduceSum(d, axis) m = Mul(s, weight) "
        "n = Slice(x, zero, one, axis) y = Concat <axis = 1> (m, n)"
    )
    constants = (
        f"bool on = {{1}}, float rate = {{{RATE}}}, int64[1] axis = {{1}}, "
        f"float weight = {{{WEIGHT}}}, int64[1] zero = {{0}}, int64[1] one = {{1}}"
    )
    model = graph(body, constants, "float[batch, 3] x", "float[batch, 2] y")
    said = Annotations(
        task="heteroscedastic_regression",
        passes=200,
        noise=NoiseSpec(mean="y", noise="y", form="log_variance"),
    )
    return saved(folder, model, said)


def class_model(folder: Path) -> Path:
    """Softmax of four logits after a dropout."""
    said = Annotations(task="classification", labels=tuple("abcd"), passes=50)
    return element_model(folder, "Softmax", said)


def weight_model(folder: Path) -> Path:
    """y = Σ wᵢ xᵢ with normal weights around 1, which all rows of a pass share."""
    body = "w = RandomNormal <mean = 1.0, shape = [3]> () d = Mul(x, w) y = ReduceSum(d, axis)"
    model = graph(body, "int64[1] axis = {1}", "float[batch, 3] x", "float[batch, 1] y")
    return saved(folder, model, Annotations(task="regression", passes=20))


def loaded(path: Path) -> Predictor:
    """The model of a file, without a calibration."""
    return load_uncalibrated(path)


def rows(count: int, columns: int, seed: int) -> Array:
    """(rows, columns) float32."""
    return np.random.default_rng(seed).normal(size=(count, columns)).astype(np.float32)


def with_noise(model: Predictor, x: Array, deviation: Any, seed: int) -> Labeled:
    """Rows, and targets around WEIGHT × their sum: those of the network without dropout."""
    noise = np.random.default_rng(seed).normal(size=(len(x), 1)) * deviation
    return labeled(model, x, WEIGHT * x.sum(axis=1, keepdims=True) + noise)


def with_labels(model: Predictor, x: Array, temperature: float, seed: int) -> Labeled:
    """Rows, and labels drawn from the probabilities of the model at a temperature."""
    p = model.predict(x, 200, 9).mean ** (1 / temperature)
    p /= p.sum(axis=1, keepdims=True)
    drawn = (p.cumsum(axis=1) < np.random.default_rng(seed).random((len(x), 1))).sum(axis=1)
    return labeled(model, x, np.minimum(drawn, 3))


def element_model(folder: Path, operator: str, said: Annotations, row: str = "4") -> Path:
    """An operator on each row of inputs after a dropout with a rate of 0.1."""
    model = graph(
        f"d = Dropout(x, rate, on) y = {operator}(d)",
        "bool on = {1}, float rate = {0.1}",
        f"float[batch, {row}] x",
        f"float[batch, {row}] y",
    )
    return saved(folder, model, said)


def label_model(folder: Path) -> Path:
    """Sigmoid of four logits after a dropout: each has a label of its own."""
    said = Annotations(task="multilabel_classification", labels=tuple("abcd"), passes=50)
    return element_model(folder, "Sigmoid", said)


def with_flags(model: Predictor, x: Array, temperature: float, seed: int) -> Labeled:
    """Rows, and labels drawn from the probabilities of the model at a temperature.

    The labels of a row depend on each other: they are drawn with the same random number. About a
    tenth of the rows has none.
    """
    p = model.predict(x, 200, 9).mean
    odds = (p / (1 - p)) ** (1 / temperature)
    return labeled(model, x, np.random.default_rng(seed).random((len(x), 1)) < odds / (1 + odds))


def step_model(folder: Path) -> Path:
    """Softmax of four logits at each of three steps of a row."""
    said = Annotations(task="classification", labels=tuple("abcd"), passes=50)
    return element_model(folder, "Softmax", said, "3, 4")


def with_steps(model: Predictor, x: Array, seed: int) -> Labeled:
    """Rows, and a label for each of their steps drawn from the probabilities of the model."""
    p = model.predict(x, 200, 9).mean
    drawn = (p.cumsum(axis=-1) < np.random.default_rng(seed).random((len(x), 1, 1))).sum(axis=-1)
    return labeled(model, x, np.minimum(drawn, 3))


def vector_model(folder: Path) -> Path:
    """Three numbers, each of which a dropout may set to 0: the variance of x is x²/9."""
    return element_model(folder, "Identity", Annotations(task="regression", passes=200), "3")
