import numpy as np
import pytest

from service.core.measures.variation_ratio import VariationRatio
from tests.service.core.measures.of_samples import measured


def of_classes(classes: list[int], count: int = 3) -> np.ndarray:
    """(P, 1, K) samples with these most likely classes."""
    return (np.eye(count)[classes] * 0.7 + 0.1)[:, None]


@pytest.mark.parametrize(
    ("classes", "wanted"),
    [([2, 2, 2, 2], 0.0), ([0, 1, 2], 2 / 3), ([0, 1, 1, 2, 1], 2 / 5), ([0, 1], 1 / 2)],
)
def test_it_is_the_share_of_passes_outside_the_most_frequent_class(
    classes: list[int], wanted: float
) -> None:
    (found,) = measured(VariationRatio(), of_classes(classes))
    assert found == pytest.approx(wanted, abs=1e-15)


def test_of_one_sigmoid_the_classes_are_its_two_sides() -> None:
    samples = np.array([0.9, 0.2, 0.8, 0.7]).reshape(4, 1, 1)
    assert measured(VariationRatio(), samples)[0] == pytest.approx(0.25)


def test_each_step_of_a_sequence_has_its_ratio() -> None:
    steps = np.stack([of_classes([0, 0, 1]), of_classes([1, 1, 1])], axis=2)
    np.testing.assert_allclose(measured(VariationRatio(), steps), [[1 / 3, 0.0]])
