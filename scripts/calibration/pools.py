"""Predictions of held-out rows, computed once, and divided in many ways."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.zoo.data import digits_splits
from scripts.evaluate_demo_models import STORE
from service import Predictor, load_model
from service.core.measures.facts import Facts
from service.evaluation.data import output_of
from service.fitting.seen import Seen, seen

Array = NDArray[Any]

PASSES, SEED = 100, 2016


@dataclass(frozen=True)
class Pool:
    """Predictions of rows that did not train the model.

    Attributes:
        facts: of the output.
        rows: in random order.
    """

    facts: Facts
    rows: Seen


def digits_pool() -> Pool:
    """All 450 test images of `digits`."""
    _, test = digits_splits()
    model = load_model(STORE / "digits" / "1" / "model.onnx").with_calibration(None)
    return pool_of(model, test.x, test.y, ["predictive_entropy"])


def pool_of(
    model: Predictor, x: Array, targets: Array, measures: Sequence[str], passes: int = PASSES
) -> Pool:
    """Predictions of rows that did not train a model, which has one output.

    Each row has masks of its own, as `mcdropout calibrate` samples by default.
    """
    order = np.random.default_rng(0).permutation(len(x))
    found = model.predict(x[order], passes, SEED, measures, masks="per_row")
    (output,) = found.values()
    facts = output_of(model)
    return Pool(facts, seen(output, targets[order], facts))
