"""The files of a network: the artifact, and trunk and tail for the floor."""

import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

from models.export import export_model
from scripts.benchmark.networks import Network
from scripts.benchmark.onnx_ways import Files, floor_output, open_session
from scripts.benchmark.ways import rows

OPSET = 18
#: Maximum difference between the floor and the artifact with dropout off.
TOLERANCE = 1e-4


class FloorError(Exception):
    """The floor does not compute what the artifact computes."""


def write_files(network: Network, folder: Path) -> Files:
    """Write the exported network, and its trunk and tail converted without the exporter.

    Raises:
        FloorError: trunk and tail together differ from the artifact with dropout off.
    """
    files = Files.of(folder)
    export_model(network.model, files.artifact, task="other")
    if network.trunk is not None:
        _write(network.trunk, files.trunk)
    _write(network.tail, files.tail)
    difference = difference_of_floor(files, network.shape)
    if not difference <= TOLERANCE:
        raise FloorError(
            f"{network.name}: trunk and tail differ by {difference:.1e} from the artifact with "
            f"dropout off, and {TOLERANCE:.0e} is allowed. They would be no floor of it."
        )
    return files


def difference_of_floor(files: Files, shape: tuple[int, ...]) -> float:
    """Maximum absolute difference between the floor and the artifact without dropout."""
    artifact = open_session(files.artifact)
    x = rows(shape, 3)
    name = artifact.get_inputs()[0].name
    (wanted,) = artifact.run(None, {name: x, "training": np.array(False)})
    return float(np.abs(floor_output(files, x) - wanted).max())


def _write(model: keras.Model, path: Path) -> None:
    """Convert a model with dropout off and a dynamic batch axis, by tf2onnx only."""
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    signature = [
        tf.TensorSpec((None, *value.shape[1:]), value.dtype, f"input_{index}")
        for index, value in enumerate(model.inputs)
    ]

    @tf.function  # type: ignore[untyped-decorator]
    def function(*inputs: Any) -> Any:
        return model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)

    converted, _ = tf2onnx.convert.from_function(function, signature, opset=OPSET)
    onnx.save(converted, path)
