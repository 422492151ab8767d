"""Correct networks with realistic statistics are accepted, slightly wrong ones are refused.

The photographs are from scikit-learn; the normalizations have the statistics of these images,
because those of a new network hide the effect of rounding in a trained one.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray
from sklearn.datasets import load_sample_images

from models.export import export_model
from models.export.check import Reference
from models.export.reference import reference
from service import load_model
from service.core.tolerances import LEAST

SIZE = 64


def crops(count: int, seed: int) -> NDArray[np.float32]:
    """Crops of two photographs, scaled to [-1, 1]."""
    rng, photographs = np.random.default_rng(seed), load_sample_images().images
    pieces = []
    for index in range(count):
        photograph = photographs[index % 2]
        top, left = (rng.integers(0, size - SIZE) for size in photograph.shape[:2])
        pieces.append(photograph[top : top + SIZE, left : left + SIZE])
    return np.array(pieces, np.float32) / 127.5 - 1


def norms(model: keras.Model) -> list[Any]:
    return [la for la in model._flatten_layers() if isinstance(la, layers.BatchNormalization)]


class Network(NamedTuple):
    model: keras.Model
    rows: NDArray[np.float32]
    reference: Reference


@pytest.fixture(scope="module")
def network() -> Network:
    keras.utils.set_random_seed(1)
    shape = (SIZE, SIZE, 3)
    base = keras.applications.MobileNetV2(
        shape, 0.35, include_top=False, weights=None, pooling="avg"
    )
    x = keras.Input(shape)
    model = keras.Model(x, layers.Dense(5)(layers.Dropout(0.3)(base(x))))
    for norm in norms(model):
        norm.momentum = 0.0
    model(crops(32, 0), training=True)  # updates every statistic to that of the photographs
    rows = crops(8, 5)
    answer = reference(model, lambda x: [np.asarray(model(x[0]))], [rows], LEAST)
    return Network(model, rows, answer)


def test_network_with_realistic_statistics_is_exported(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    manifest = export_model(network.model, path, task="other", example=network.rows)
    checks = manifest.checks
    assert checks
    assert checks.off_difference <= checks.off_tolerance < 1e-3
    assert load_model(path).proof.off_difference is not None


@contextmanager
def changed(model: keras.Model, change: Callable[[str, Any], Any]) -> Iterator[None]:
    """The model with other weights during the block: `change` of path and value."""
    before = [(weight, np.asarray(weight.value)) for weight in model.weights]
    for weight, value in before:
        weight.assign(change(weight.path, value))
    yield
    for weight, value in before:
        weight.assign(value)


def test_float16_kernel_is_refused(network: Network) -> None:
    def halved(path: str, value: Any) -> Any:
        return value.astype(np.float16) if path == "Conv1/kernel" else value

    with changed(network.model, halved):
        require_refused(network)


def test_kernels_with_a_relative_error_of_1e5_are_refused(network: Network) -> None:
    with changed(network.model, lambda path, w: w * np.float32(1 + 1e-5 * ("kernel" in path))):
        require_refused(network)


def test_other_epsilon_is_refused(network: Network) -> None:
    norm = norms(network.model)[20]
    norm.epsilon *= 1.1
    require_refused(network)
    norm.epsilon /= 1.1


def require_refused(network: Network) -> None:
    """Check that the model as it is now differs from the reference."""
    found = network.reference.difference([np.asarray(network.model(network.rows))])
    assert found.found > 3 * found.allowed
