import re
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InputError, place
from service.inference.inputs import read_inputs
from service.manifest import InputSpec

FLAT = InputSpec(name="x", dtype="float32", shape=(None, 3))
IMAGE = InputSpec(name="x", dtype="float32", shape=(None, 2, 2, 1))
SEQUENCE = InputSpec(name="x", dtype="float32", shape=(None, None, 2))
TOKENS = InputSpec(name="x", dtype="int32", shape=(None, 3))
FLAGS = InputSpec(name="x", dtype="bool", shape=(None, 2))
SCALAR = InputSpec(name="x", dtype="float32", shape=(None,))


def read(value: Any, *specs: InputSpec) -> dict[str, np.ndarray]:
    try:
        return read_inputs(value, specs)
    except InputError as error:
        raise error.at(partial(place, "rows")) from None


@pytest.mark.parametrize(
    ("spec", "value", "dtype"),
    [
        (FLAT, [[1, 2, 3]], np.float32),
        (FLAT, np.ones((4, 3), np.float64), np.float32),
        (SEQUENCE, [[[1, 2], [3, 4], [5, 6]]], np.float32),
        (TOKENS, [[1, 2, 3]], np.int32),
        (TOKENS, [[1.0, 2.0, 3.0]], np.int32),
        (FLAGS, [[True, False]], np.bool_),
        (SCALAR, [1.5, 2.5], np.float32),
    ],
)
def test_read_inputs_casts_to_the_dtype_of_the_model(
    spec: InputSpec, value: Any, dtype: type
) -> None:
    array = read(value, spec)["x"]
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, np.asarray(value, dtype))


@pytest.mark.parametrize(
    ("spec", "value", "message"),
    [
        (FLAT, [], "rows is empty; send at least one row."),
        (FLAT, np.ma.masked_less([[1.0, 2.0, 3.0]], 2), "rows has masked values. Fill them, or"),
        (FLAT, [[1, 2]], r"rows[0] has 2 values; the model expects 3 there"),
        (FLAT, [[1, 2, 3], [1, 2]], r"rows[1] has 2 values; the model expects 3 there"),
        (FLAT, [[1, 2, 3], 4], r"rows[1] is the number 4; the model expects lists"),
        (FLAT, [[1, "2", 3]], r"rows[0][1] is the string '2'; the model expects float32 there."),
        (FLAT, [[1, None, 3]], r"rows[0][1] is null; the model expects float32 there."),
        (FLAT, [[1, {}, 3]], r"rows[0][1] is an object; the model expects float32 there."),
        (FLAT, [[1, [2], 3]], r"rows[0][1] is a list; the model expects float32 there."),
        (FLAT, [[True, True, True]], r"rows[0][0] is true; the model expects float32 there."),
        (FLAT, [[1, float("nan"), 3]], r"rows[0][1] is nan; the model expects finite numbers."),
        (FLAT, [[1, 2, float("-inf")]], r"rows[0][2] is -inf; the model expects finite numbers."),
        (FLAT, [[1, 2, 1e39]], r"rows[0][2] is 1e+39; the model expects float32, which cannot"),
        (FLAT, [[1, 2, 10**30]], f"rows[0][2] is {10**30}; write a whole number beyond 64"),
        (TOKENS, [[1, 2, 10**30]], f"rows[0][2] is {10**30}, which int32 cannot represent."),
        (FLAT, 5, "rows is the number 5; the model expects lists of shape (rows, 3)."),
        (FLAT, "abc", "rows is the string 'abc'; the model expects lists"),
        (FLAT, np.ones(3), "For one row, add an axis in front: (1, 3)."),
        (FLAT, np.array([["a", "b", "c"]]), "rows has shape (1, 3) and dtype <U1"),
        (IMAGE, [[[[1.0], [2.0]], [[3.0]]]], "rows[0][1] has 1 values; the model expects 2 there"),
        (SEQUENCE, [[[1, 2]], [[1, 2], [3, 4]]], "rows[1] has 2 values; the model expects 1 there"),
        (
            TOKENS,
            [[1, 2, 2.5]],
            "rows[0][2] is 2.5; the model expects int32, which cannot represent it.",
        ),
        (TOKENS, [[1, 2, 2**40]], f"rows[0][2] is {2**40}; the model expects int32"),
        (FLAGS, [[1, 0]], "rows[0][0] is the number 1; the model expects bool there."),
        (FLAT, {"y": [[1, 2, 3]]}, "rows names inputs ['y']; the model has ['x']."),
    ],
)
def test_read_inputs_explains_invalid_rows(spec: InputSpec, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        read(value, spec)


def test_read_inputs_of_several_inputs() -> None:
    specs = (FLAT.model_copy(update={"name": "a"}), TOKENS.model_copy(update={"name": "b"}))
    arrays = read({"a": [[1, 2, 3]], "b": [[4, 5, 6]]}, *specs)
    assert list(arrays) == ["a", "b"]
    with pytest.raises(InputError, match="different number of rows"):
        read({"a": [[1, 2, 3]], "b": [[4, 5, 6]] * 2}, *specs)
    with pytest.raises(InputError, match=re.escape("give rows for each of ['a', 'b']")):
        read([[1, 2, 3]], *specs)
    with pytest.raises(InputError, match=re.escape("rows.b[0][1] is null")):
        read({"a": [[1, 2, 3]], "b": [[4, None, 6]]}, *specs)


def test_place_of_an_error_is_structured() -> None:
    with pytest.raises(InputError) as caught:
        read_inputs([[1, 2, None]], [FLAT])
    assert (caught.value.loc, str(caught.value)[:17]) == ((0, 2), "x[0][2] is null; ")
    with pytest.raises(InputError) as caught:
        read_inputs({"x": [[1, 2, None]]}, [FLAT])
    assert (caught.value.loc, str(caught.value)[:19]) == (("x", 0, 2), "x.x[0][2] is null; ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=3), children)
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_read_or_refused_with_an_explanation(value: Any) -> None:
    refusal = "."
    try:
        array = read(value, FLAT)["x"]
    except InputError as error:
        refusal = str(error)
    else:
        assert array.shape[1:] == (3,)
        assert np.isfinite(array).all()
    assert refusal.endswith(".")
