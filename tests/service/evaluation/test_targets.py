"""Targets as the tasks have them, and what is refused of them."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.core.measures.facts import Facts, Half, PerElement
from service.errors import InputError
from service.evaluation.targets import read_targets

ANIMALS = Facts("p", (None, 3), "classification", classes=np.array(["cat", "dog", "bird"]))
NO_LABELS = Facts("p", (None, 3), "classification")
SIGMOID = Facts("p", (None, 1), "classification", classes=np.array(["no", "yes"]))
STEPS = Facts("p", (None, 4, 3), "classification")
TAGS = Facts(
    "p", (None, 2), "multilabel_classification", PerElement(), np.array([("", "a"), ("", "b")])
)
POINT = Facts("y", (None, 1), "regression")
BOTH = Facts("y", (None, 4), "heteroscedastic_regression", Half())
PARTS = Facts("p", (None, 3), "classification", classes=np.array(["2", "0", "1"]))


def read(facts: Facts, given: Any, *, typed: bool = True) -> NDArray[Any]:
    return read_targets({"y": np.asarray(given)}, facts, "data", typed=typed)


@pytest.mark.parametrize(
    ("facts", "given", "wanted"),
    [
        (ANIMALS, [2, 0, 1], [2, 0, 1]),
        (ANIMALS, np.array([2, 0, 1], np.uint8), [2, 0, 1]),
        (ANIMALS, [2.0, 0.0, 1.0], [2, 0, 1]),
        (ANIMALS, [[2], [0], [1]], [2, 0, 1]),
        (ANIMALS, ["bird", "cat", "dog"], [2, 0, 1]),
        (ANIMALS, np.array([b"bird", " cat", "dog"], object), [2, 0, 1]),
        (ANIMALS, [[0, 0, 1], [1, 0, 0], [0, 1, 0]], [2, 0, 1]),
        (ANIMALS, ["2", "0", "1"], [2, 0, 1]),
        (NO_LABELS, ["2", "0", "1"], [2, 0, 1]),
        (SIGMOID, ["yes", "no"], [1, 0]),
        (SIGMOID, [[True], [False]], [1, 0]),
        (STEPS, [[0, 1, 2, 0]], [[0, 1, 2, 0]]),
        (PARTS, ["2", "0", "1"], [0, 1, 2]),
        (PARTS, [2, 0, 1], [2, 0, 1]),
    ],
)
def test_classes_are_indices_labels_or_one_hot(facts: Facts, given: Any, wanted: Any) -> None:
    found = read(facts, given)
    assert found.dtype == np.int64
    assert found.tolist() == wanted


@pytest.mark.parametrize(
    ("facts", "given", "wanted"),
    [
        (POINT, [1, 2.5], [[1.0], [2.5]]),
        (POINT, np.array([[1], [2.5]], np.float32), [[1.0], [2.5]]),
        (BOTH, [[1, 2], [3, 4]], [[1.0, 2.0], [3.0, 4.0]]),
        (TAGS, [[0, 1], [1, 1]], [[False, True], [True, True]]),
    ],
)
def test_numbers_and_flags_have_the_shape_of_the_output(
    facts: Facts, given: Any, wanted: Any
) -> None:
    assert read(facts, given).tolist() == wanted


def test_columns_named_by_the_labels_may_be_in_any_order() -> None:
    columns = {"b": np.array([True, False]), "a": np.array([False, False])}
    assert read_targets(columns, TAGS, "data").tolist() == [[False, True], [False, False]]
    others = {"u": columns["b"], "v": columns["a"]}
    assert read_targets(others, TAGS, "data").tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize(
    ("facts", "given", "text"),
    [
        (ANIMALS, [0, 3, 7, 3], r"have \[3, 7\], first in row 1; the classes are 0 to 2"),
        (ANIMALS, [0, -1], r"have \[-1\]"),
        (ANIMALS, [0, 1.5], r"have \[1.5\]"),
        (ANIMALS, [0.0, np.nan], r"have \[nan\], first in row 1"),
        (ANIMALS, ["cat", "cow"], r"have \['cow'\], first in row 1; the labels are"),
        (NO_LABELS, ["cat"], "the model has no labels, and the indices 0 to 2"),
        (ANIMALS, [[0, 1, 1]], "not one-hot in row 0"),
        (ANIMALS, [[0, 1]], r"have shape \(1, 2\); the model's have \(rows\)"),
        (SIGMOID, [[0, 1]], r"model's have \(rows\), each of them the index of a class, 0 to 1"),
        (POINT, [1, np.nan], "have nan in row 1 at .*; they must be finite"),
        (POINT, [[1, 2]], r"have shape \(1, 2\); the model's have \(rows, 1\)"),
        (POINT, ["1"], "are of type <U1; they must be numbers"),
        (TAGS, [[0, 2]], r"have 2 in row 0 at \[1\]; each label is 0 or 1"),
        (TAGS, [[0, np.nan]], "have nan in row 0"),
    ],
)
def test_wrong_targets_are_refused(facts: Facts, given: Any, text: str) -> None:
    with pytest.raises(InputError, match=f"data: the targets .*{text}"):
        read(facts, given)


def test_cells_that_may_be_labels_or_indices_are_refused() -> None:
    with pytest.raises(InputError, match="may be labels or indices"):
        read(PARTS, ["2", "0", "1"], typed=False)
    assert read(ANIMALS, ["2", "0", "1"], typed=False).tolist() == [2, 0, 1]


def test_several_columns_of_a_classification_are_refused() -> None:
    with pytest.raises(InputError, match="are 2 columns"):
        read_targets({"a": np.zeros(2), "b": np.zeros(2)}, ANIMALS, "data")
