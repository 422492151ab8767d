"""What a classification decides on, and by how much."""

import numpy as np
import pytest

from service.core.measures import Facts
from service.core.measures.confidence import Confidence
from service.core.measures.facts import PerElement
from service.core.measures.label import Label
from service.core.measures.margin import Margin
from service.core.measures.predicted_class import PredictedClass
from tests.service.core.measures.of_samples import measured

RANDOM = np.random.default_rng(0)
SOFTMAX = RANDOM.dirichlet(np.ones(5), (50, 20))
SIGMOID = RANDOM.uniform(0, 1, (1, 40, 1))
MULTI = Facts("y", (None, 3), "multilabel_classification", PerElement())
MULTI_LABELS = Facts(
    *("y", (None, 3), "multilabel_classification", PerElement()),
    classes=np.array([("", "cat"), ("", "dog"), ("", "sun")]),
)
PETS = np.array([[[0.9, 0.2, 0.7], [0.1, 0.3, 0.5]], [[0.7, 0.4, 0.9], [0.3, 0.1, 0.5]]])


def test_the_predicted_class_has_the_largest_mean() -> None:
    found = measured(PredictedClass(), SOFTMAX)
    np.testing.assert_array_equal(found, SOFTMAX.mean(axis=0).argmax(axis=-1))


def test_the_class_of_one_sigmoid_is_1_above_a_half() -> None:
    wanted = (SIGMOID[0, :, 0] > 0.5).astype(int)
    np.testing.assert_array_equal(measured(PredictedClass(), SIGMOID), wanted)


def test_each_element_of_several_has_a_class_of_its_own() -> None:
    found = measured(PredictedClass(), PETS, MULTI)
    np.testing.assert_array_equal(found, [[1, 0, 1], [0, 0, 0]])
    np.testing.assert_allclose(measured(Confidence(), PETS, MULTI)[0], [0.8, 0.7, 0.8])
    np.testing.assert_allclose(measured(Margin(), PETS, MULTI)[1], [0.6, 0.6, 0.0], atol=1e-15)


def test_a_label_is_that_of_the_predicted_class() -> None:
    labels = np.array(list("abcde"))
    facts = Facts("y", (None, 5), "classification", classes=labels)
    found = measured(Label(), SOFTMAX, facts)
    np.testing.assert_array_equal(found, labels[measured(PredictedClass(), SOFTMAX, facts)])
    steps = np.stack([SOFTMAX, SOFTMAX[:, ::-1]], axis=2)
    np.testing.assert_array_equal(
        measured(Label(), steps, facts), np.stack([found, found[::-1]], 1)
    )


def test_the_labels_of_one_sigmoid_are_those_of_its_two_classes() -> None:
    facts = Facts("y", (None, 1), "classification", classes=np.array(["no", "yes"]))
    samples = np.array([0.2, 0.9]).reshape(1, 2, 1)
    np.testing.assert_array_equal(measured(Label(), samples, facts), ["no", "yes"])


def test_an_element_of_several_has_its_label_or_none() -> None:
    found = measured(Label(), PETS, MULTI_LABELS)
    np.testing.assert_array_equal(found, [["cat", "", "sun"], ["", "", ""]])


def test_confidence_and_margin_are_of_the_sorted_means() -> None:
    first, second = np.sort(SOFTMAX.mean(axis=0))[:, :-3:-1].T
    np.testing.assert_allclose(measured(Confidence(), SOFTMAX), first)
    np.testing.assert_allclose(measured(Margin(), SOFTMAX), first - second)
    p = SIGMOID[0, :, 0]
    np.testing.assert_allclose(measured(Confidence(), SIGMOID), np.maximum(p, 1 - p))
    np.testing.assert_allclose(measured(Margin(), SIGMOID), np.abs(2 * p - 1))


@pytest.mark.parametrize("classes", [2, 10])
def test_of_equally_likely_classes_they_are_least(classes: int) -> None:
    uniform = np.full((3, 1, classes), 1 / classes)
    assert measured(Confidence(), uniform)[0] == pytest.approx(1 / classes)
    assert measured(Margin(), uniform)[0] == 0
    assert measured(PredictedClass(), uniform)[0] == 0
