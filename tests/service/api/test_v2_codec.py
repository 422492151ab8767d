"""Tensors keep every bit in both directions; invalid ones only raise the project's errors."""

import contextlib
import json
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from service import Predictor
from service.api.http.body import parse_json
from service.api.http.errors import placed
from service.api.v2.infer import decode
from service.api.v2.schemas import EXAMPLE, InferRequest
from service.api.v2.tensors import (
    Output,
    decode_inputs,
    encode_answer,
    split_body,
)
from service.errors import InputError, MCDropoutError
from service.protocol.tensors import HEADER
from tests.service.api.protocol import TYPES, Array, opened, packed, tensor

#: Slow examples on a busy machine are not a fault of the codec.
ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SHAPES = arrays_of.array_shapes(min_dims=1, max_dims=4, max_side=4)


@st.composite
def tensors(draw: st.DrawFn) -> Array:
    dtype = np.dtype(draw(st.sampled_from([name for _, _, name in TYPES.values()])))
    elements = arrays_of.from_dtype(dtype, allow_nan=False, allow_infinity=False)
    array: Array = draw(arrays_of.arrays(dtype, SHAPES, elements=elements))
    return array


def decoded(content: bytes, header: str | None) -> dict[str, Array]:
    text, binary = split_body(content, header)
    inputs = decode_inputs(parse_json(InferRequest, text, EXAMPLE).inputs, binary)
    return dict(inputs.arrays)


def require_same(found: Array, wanted: Array) -> None:
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    assert found.tobytes() == wanted.tobytes()
    assert found.flags.aligned


@ANY_SPEED
@given(array=tensors(), nested=st.booleans(), spaces=st.integers(0, 8))
def test_inputs_keep_every_bit(array: Array, nested: bool, spaces: int) -> None:
    text = json.dumps({"inputs": [tensor("x", array, nested)]}).encode()
    require_same(decoded(text, None)["x"], array)
    # The tensor's bytes begin at any offset, because the JSON before them has any length.
    sent = packed({"x": array, "y": array}, id=" " * spaces)
    for found in decoded(sent["content"], sent["headers"][HEADER]).values():
        require_same(found, array)


@ANY_SPEED
@given(array=tensors(), binary=st.lists(st.booleans(), min_size=1, max_size=3))
def test_outputs_keep_every_bit(array: Array, binary: list[bool]) -> None:
    outputs = [Output(str(index), array.T, as_bytes) for index, as_bytes in enumerate(binary)]
    body, headers = encode_answer({"id": "ü"}, outputs)
    response = httpx.Response(200, headers=headers, content=body)
    for found in opened(response)[1].values():
        require_same(found, np.ascontiguousarray(array.T))


@pytest.mark.parametrize("byte", [2, 255])
def test_bool_is_0_or_1(byte: int) -> None:
    sent = packed({"x": np.array([[True, False], [True, True]])})
    content = sent["content"][:-1] + bytes([byte])
    with pytest.raises(InputError, match=rf"inputs\[0\].data\[1\]\[1\] is the byte {byte}; BOOL"):
        decoded(content, sent["headers"][HEADER])


def test_bytes_are_not_copied() -> None:
    sent = packed({"x": np.zeros((4, 4), np.uint8)})
    content = sent["content"]
    found = decoded(content, sent["headers"][HEADER])["x"]
    assert np.shares_memory(found, np.frombuffer(content, np.uint8))


VALID: dict[str, Any] = {
    "id": "1",
    "inputs": [tensor("pixels", np.zeros((1, 64), np.float32), nested=True)],
    "outputs": [{"name": "mean", "parameters": {"binary_data": True}}],
    "parameters": {"passes": 10, "seed": 1, "sites": "drop_maps", "timeout": 5},
}
BINARY = packed({"pixels": np.zeros((1, 64), np.float32)}, outputs=VALID["outputs"])

#: Few letters, because Hypothesis needs a second for its table of all characters.
TEXT = st.text('ab1-."é', max_size=3)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**80), 2**80)
    | st.floats()
    | TEXT
    | st.sampled_from(["FP16", "BOOL", "UINT8", "BYTES", "variance", "name", "data"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(TEXT, children, max_size=3),
    max_leaves=8,
)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A valid body with something replaced, added or removed."""
    body = json.loads(json.dumps(VALID))
    for _ in range(draw(st.integers(1, 3))):
        at: Any = body
        while isinstance(at, dict | list) and at:
            key = draw(st.sampled_from(list(at) if isinstance(at, dict) else range(len(at))))
            if not (isinstance(at[key], dict | list) and draw(st.booleans())):
                break
            at = at[key]
        else:
            continue
        if draw(st.booleans()):
            at[key] = draw(JSON)
        else:
            del at[key]
    return json.dumps(body).encode()


def read_or_refuse(content: bytes, header: str | None, digits: Predictor) -> None:
    with contextlib.suppress(MCDropoutError):
        asked = decode(content, header, digits)
        with placed(asked.place):
            digits.prepare(asked.inputs.arrays, asked.options)
            digits.prepare_deterministic(asked.inputs.arrays)


@ANY_SPEED
@given(content=changed())
def test_changed_json_is_read_or_refused(content: bytes, digits: Predictor) -> None:
    read_or_refuse(content, None, digits)


@ANY_SPEED
@given(data=st.data(), position=st.integers(0, len(BINARY["content"])), insert=st.binary())
def test_changed_bytes_are_read_or_refused(
    data: st.DataObject, position: int, insert: bytes, digits: Predictor
) -> None:
    content = BINARY["content"]
    removed = data.draw(st.integers(0, len(content) - position))
    content = content[:position] + insert + content[position + removed :]
    header = data.draw(st.none() | st.just(BINARY["headers"][HEADER]) | TEXT)
    read_or_refuse(content, header, digits)
    read_or_refuse(content, str(data.draw(st.integers(0, len(content)))), digits)
