"""Trial rows, on which a model is tried when it is loaded."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from service.graph.artifact import Artifact
from service.inference.runner import Rows
from service.manifest import InputSpec

Array = NDArray[Any]

ROWS = 4
#: Words of a vocabulary that are tried.
_MAX_WORDS = 16
_DYNAMIC_SIZES = {3: 16, 4: 64, 5: 16}


def trial_rows(artifact: Artifact) -> Rows:
    """Rows to try the model on: input name to (ROWS, …)."""
    return {
        spec.name: _texts(spec, artifact.model) if spec.dtype == "string" else _rows(spec)
        for spec in artifact.manifest.inputs
    }


def trial_shape(spec: InputSpec) -> tuple[int, ...]:
    """The shape of one row to try: that of the manifest's example, or likely lengths."""
    if spec.example is not None:
        return np.shape(spec.example)
    return tuple(size or _DYNAMIC_SIZES.get(len(spec.shape), 8) for size in spec.shape[1:])


def _texts(spec: InputSpec, model: ir.Model) -> Array:
    """Rows of strings: the example or a word, known words, unknown ones and none."""
    words = [*_known_words(model)][:_MAX_WORDS] or ["a"]
    rows = np.empty((ROWS, *trial_shape(spec)), object)
    rows[0] = words[0] if spec.example is None else spec.example
    rows[1], rows[2], rows[3] = " ".join(reversed(words)), "an unknown text", ""
    return rows


def _known_words(model: ir.Model) -> Iterator[str]:
    """The words of the model's lookup tables."""
    for node in model.graph.all_nodes():
        if node.op_type == "LabelEncoder" and "keys_strings" in node.attributes:
            yield from node.attributes["keys_strings"].as_strings()


def _rows(spec: InputSpec) -> Array:
    """Rows to try: the manifest's example, and random ones of its location and scale."""
    rng = np.random.default_rng(0)
    dtype = np.dtype(spec.dtype)
    example = None if spec.example is None else np.asarray(spec.example, dtype)
    shape = trial_shape(spec)
    rows: Array
    if np.issubdtype(dtype, np.floating):
        rows = rng.standard_normal((ROWS, *shape))
        if example is not None:
            rows = rows * (float(example.std()) or 1.0) + float(example.mean())
    else:
        rows = rng.integers(0, 2, (ROWS, *shape))
        if example is not None:
            # 0 may be padding, and a row of nothing else has no answer in many models.
            rows = np.where(rng.integers(0, 2, rows.shape), example, rows)
    rows = rows.astype(dtype)
    if example is not None:
        rows[0] = example
    return rows
