"""Rows are converted to the arrays of a signature, or an error names the place."""

from typing import Any

import numpy as np
import pytest

from service.client.errors import InvalidCallError
from service.client.rows import read_rows
from service.client.signature import Signature, Tensor


def of(dtype: str = "float32", *shape: int | None) -> Signature:
    return Signature((Tensor("x", dtype, (None, *(shape or (2,)))),), ("y",))


TWO = Signature((Tensor("a", "float32", (None, 2)), Tensor("b", "int64", (None,))), ("y",))


@pytest.mark.parametrize(
    "x",
    [
        [[1, 2], [3, 4]],
        ((1.0, 2.0), (3.0, 4.0)),
        {"x": [[1, 2], [3, 4]]},
        np.array([[1, 2], [3, 4]], np.uint8),
        np.array([[1, 2], [3, 4]], ">f8"),
        np.array([[1, 3], [2, 4]], np.float32).T,
        [np.array([1, 2]), np.array([3, 4])],
    ],
)
def test_rows_are_converted_to_the_dtype_of_the_model(x: Any) -> None:
    array = read_rows(x, of())["x"]
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, [[1, 2], [3, 4]])


def test_each_input_has_its_own_dtype() -> None:
    arrays = read_rows({"b": [1, 2.0], "a": np.ones((2, 2))}, TWO)
    assert {name: array.dtype.name for name, array in arrays.items()} == {
        "a": "float32",
        "b": "int64",
    }


def test_numbers_of_the_same_dtype_are_not_copied() -> None:
    x = np.ones((3, 2), np.float32)
    assert read_rows(x, of())["x"] is x


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            [[1, 2], [3]],
            r"x\[1\] has shape \(1,\), and x\[0\] has \(2,\): all rows need the same shape",
        ),
        ([[1, 2], 3], r"x\[1\] has shape \(\), and x\[0\] has \(2,\)"),
        ([[1, [2, 3]]], r"x\[0\]\[1\] has shape \(2,\), and x\[0\]\[0\] has \(\)"),
        ({"x": [[1], [2, 3]]}, r"x\['x'\]\[1\] has shape \(2,\)"),
        ([1, 2], r"x has shape \(2,\); .* \(rows, 2\), of float32 .*add an axis: x\[None\]"),
        ([[1, 2, 3]], r"x has shape \(1, 3\); the model expects \(rows, 2\), of float32"),
        ([], r"x has shape \(0,\)"),
        (np.ones((0, 2)), r"x has shape \(0, 2\); .*at least one row"),
        (5, r"x has shape \(\)"),
        (None, "x has elements of type object"),
        ("abc", "x has elements of type <U3; the model expects float32"),
        ([[1, "2"]], "x has elements of type <U"),
        ([[True, False]], "x has elements of type bool"),
        ([[1j, 2]], "x has elements of type complex128"),
        ([[1, 10**400]], "x has elements of type object"),
        ([[1, 1e39]], r"x\[0\]\[1\] is 1e\+39, which float32 cannot represent"),
        ({"y": [[1, 2]]}, r"x names inputs \['y'\]; the model has \['x'\]"),
        (np.ma.masked_less([[1.0, 2.0]], 2), "x has masked values. Fill them"),
        ({}, r"x names inputs \[\]; the model has \['x'\]"),
    ],
)
def test_invalid_rows_are_explained(x: Any, message: str) -> None:
    with pytest.raises(InvalidCallError, match=message):
        read_rows(x, of())


@pytest.mark.parametrize(("value", "fits"), [(3.0, True), (3.5, False), (np.nan, False)])
def test_integers_are_not_truncated(value: float, fits: bool) -> None:
    if fits:
        np.testing.assert_array_equal(read_rows([[value, 0]], of("uint8"))["x"], [[3, 0]])
    else:
        with pytest.raises(
            InvalidCallError, match=r"x\[0\]\[0\] is .*, which uint8 cannot represent"
        ):
            read_rows([[value, 0]], of("uint8"))


def test_bools_are_accepted_for_bools_only() -> None:
    assert read_rows([[True, False]], of("bool"))["x"].dtype == np.bool_
    with pytest.raises(InvalidCallError, match="the model expects bool"):
        read_rows([[1, 0]], of("bool"))


def test_dynamic_axis_accepts_any_size() -> None:
    assert read_rows(np.ones((2, 5, 3)), of("float64", None, 3))["x"].shape == (2, 5, 3)
    with pytest.raises(InvalidCallError, match=r"\(rows, any, 3\), of float64"):
        read_rows(np.ones((2, 5, 4)), of("float64", None, 3))


def test_numbers_that_are_not_finite_are_left_to_the_server() -> None:
    array = read_rows([[np.nan, np.inf]], of())["x"]
    np.testing.assert_array_equal(array, [[np.nan, np.inf]])


def test_several_inputs_need_names() -> None:
    with pytest.raises(InvalidCallError, match=r"give rows for each of \['a', 'b'\]"):
        read_rows([[1, 2]], TWO)
