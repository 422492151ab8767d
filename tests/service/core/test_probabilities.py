import numpy as np
import pytest

from service.core.probabilities import are_probabilities

CLASSES, LABELS = "classification", "multilabel_classification"


@pytest.mark.parametrize(
    ("values", "task", "expected"),
    [
        ([[0.25, 0.75], [1, 0]], CLASSES, True),
        ([[0.25, 0.7]], CLASSES, False),
        ([[0.25, 0.7]], LABELS, True),
        ([[1.5, -0.5]], CLASSES, False),
        ([[0.5, 1.5]], LABELS, False),
        ([[0.3]], CLASSES, True),
        ([[1.3]], CLASSES, False),
        ([0.3, 0.9], LABELS, True),
        ([[np.nan, 1]], CLASSES, False),
        ([[1 + 1e-7, 0]], CLASSES, True),
    ],
)
def test_are_probabilities(values: list[list[float]], task: str, expected: bool) -> None:
    assert are_probabilities(np.array(values), task) is expected


def test_a_softmax_of_halves_is_one() -> None:
    x = np.random.default_rng(0).normal(size=(20, 1000)) * 3
    y = np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)
    assert are_probabilities(y.astype(np.float16), CLASSES)
