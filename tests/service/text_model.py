"""A text model in ONNX's text form: a weighted count of words after a dropout."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.service.reference import save

WORDS, WEIGHTS = ("good", "bad", "film"), (1.0, -2.0, 3.0)

_BODY = """
    flat = Reshape (text, every)
    parts, counts = StringSplit (flat)
    ids = ai.onnx.ml.LabelEncoder <keys_strings = ["good", "bad", "film"],
        values_int64s = [0, 1, 2], default_int64 = -1> (parts)
    apart = Unsqueeze (ids, last)
    met = Equal (apart, places)
    ones = Cast <to = 1> (met)
    often = ReduceSum <keepdims = 0> (ones, one)
    drop_words_ = Dropout (often, ratio, on)
    y = MatMul (drop_words_, weights)
"""
_CONSTANTS = (
    "int64[1] every = {-1}, int64[1] last = {-1}, int64[1] one = {1}, int64[3] places = {0, 1, 2}, "
    "float ratio = {0.5}, bool on = {1}, float[3, 1] weights = {1.0, -2.0, 3.0}"
)


def save_text_model(path: Path) -> Path:
    """Write the model: input `text` (B, 1) of strings, output `y` (B, 1)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return save(_BODY, path, _CONSTANTS, "string[N, 1] text", "float[N, 1] y", opset=20)


def moments(text: str) -> tuple[float, float]:
    """Mean and variance of the model's output for a text of words and spaces."""
    counts: NDArray[np.float64] = np.array([text.split(" ").count(word) for word in WORDS], float)
    terms = counts * WEIGHTS
    # y = Σ w x m / (1 - p) has variance p / (1 - p) Σ w² x², which is Σ w² x² here.
    return float(terms.sum()), float((terms**2).sum())
