"""Plans, active Dropout nodes and Keras agree on the networks of the benchmark.

Each samples 20,000 passes of one row: the plan, the artifact's Dropout nodes in ONNX
Runtime, and Keras' `model(x, training=True)`. Means and variances of two of them may
differ by six standard errors of the difference, which chance exceeds once in 5e8; a
variance's standard error comes from the fourth moment.
"""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from models.export import export_model
from scripts.benchmark.networks import NETWORKS
from service import load_model
from service.inference.runner import Draws
from service.manifest import TRAINING_INPUT
from service.runtime.engine import CPU, Engine
from tests.conftest import SIGMAS

PASSES, AT_A_TIME = 20_000, 500
#: The same layers on a smaller picture: all of them run for each of 40,000 equal rows.
OPTIONS = {"mobilenet": {"size": 32}}

Samples = NDArray[np.float64]


def require_same_distribution(a: Samples, b: Samples) -> None:
    """Compare the moments of samples (P, K) from two implementations."""
    means, errors = [], []
    for samples in (a, b):
        mean, variance = samples.mean(axis=0), samples.var(axis=0, ddof=1)
        fourth = ((samples - mean) ** 4).mean(axis=0)
        means.append((mean, variance))
        errors.append((variance / PASSES, (fourth - variance**2) / PASSES))
    rounding = 1e-6 * np.abs(a).max()
    for index, floor in ((0, rounding), (1, rounding**2)):
        error = np.sqrt(errors[0][index] + errors[1][index]) + floor
        assert (np.abs(means[0][index] - means[1][index]) < SIGMAS * error).all()
    assert (means[0][1] > 0).all()


def in_parts(run: Callable[[], NDArray[np.float32]]) -> Samples:
    """The samples of as many runs as the passes need."""
    parts = [run() for _ in range(PASSES // AT_A_TIME)]
    return np.concatenate(parts).astype(np.float64)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NETWORKS)
def test_plan_dropout_nodes_and_keras_agree(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(2016)
    network, path = NETWORKS[name](**OPTIONS.get(name, {})), tmp_path / "model.onnx"
    export_model(network.model, path, task="other")
    x = np.random.default_rng(0).standard_normal((1, *network.shape)).astype(np.float32)
    model = load_model(path)
    (spec,) = model.manifest.inputs
    (samples,) = model.sampler.sample({spec.name: x}, PASSES, Draws(seed=7)).values()
    plan = samples[:, 0].astype(np.float64)

    artifact = Engine(path.read_bytes(), [CPU])
    tiled = np.repeat(x, AT_A_TIME, axis=0)
    feeds = {spec.name: tiled, TRAINING_INPUT: np.array(True)}
    require_same_distribution(plan, in_parts(lambda: next(iter(artifact.run(feeds).values()))))

    passes = tf.function(lambda rows: network.model(rows, training=True))
    require_same_distribution(plan, in_parts(lambda: passes(tiled).numpy()))
