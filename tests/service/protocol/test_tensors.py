"""Binary tensors: strings follow their lengths, and invalid bytes are explained."""

import re
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.protocol.datatypes import BY_NAME, STRINGS
from service.protocol.tensors import TensorError, decode, encode, join_body, split_body

TEXTS = ["", "a", "Übung", "漢字 \U0001f600", "two\0 \t\n", "x" * 300]


def packed(*contents: bytes) -> bytes:
    """Encoded as the protocol says: four bytes of length, little-endian, and the string."""
    return b"".join(struct.pack("<I", len(one)) + one for one in contents)


@pytest.mark.parametrize("dtype", [object, str])
def test_strings_follow_their_lengths(dtype: type) -> None:
    array: Any = np.array(TEXTS[:4], dtype).reshape(2, 2)
    assert encode(array) == packed(*(text.encode() for text in TEXTS[:4]))


def test_bytes_are_sent_unchanged() -> None:
    assert encode(np.array([b"a", b"\xc3\x9c"])) == packed(b"a", "Ü".encode())


@given(st.lists(st.text(max_size=5), min_size=1, max_size=6))
def test_strings_are_decoded_unchanged(texts: list[str]) -> None:
    array = np.array(texts, object).reshape(-1, 1)
    found = decode(encode(array), STRINGS, array.shape)
    assert found.tolist() == array.tolist()
    assert found.dtype == object


@pytest.mark.parametrize(
    ("content", "said", "index"),
    [
        (packed(b"a"), "is missing: the bytes end with the previous string, and 2 strings are", 1),
        (packed(b"a") + b"\0\0\0", "is missing", 1),
        (packed(b"a") + b"\2\0\0\0b", "has 2 bytes according to its length, and 1 follow", 1),
        (packed(b"a") + b"\xff\xff\xff\xff", "has 4294967295 bytes according to its length", 1),
        (packed(b"a", b"b\xffc"), "is not UTF-8: invalid start byte at byte 1", 1),
        (packed(b"\xed\xa0\x80", b""), "is not UTF-8", 0),
        (packed(b"a", b"b") + b"c", "has 1 bytes more than its 2 strings take", None),
    ],
)
def test_invalid_strings_are_refused(content: bytes, said: str, index: int | None) -> None:
    with pytest.raises(TensorError, match=re.escape(said)) as caught:
        decode(memoryview(content), STRINGS, [2])
    assert caught.value.index == index


@given(st.binary(max_size=40), st.sampled_from([1, 2, 3, 1 << 40]))
def test_any_bytes_are_decoded_or_refused(content: bytes, count: int) -> None:
    try:
        found = decode(content, STRINGS, [count])
    except TensorError:
        return
    assert encode(found) == content


def test_lone_surrogate_is_not_sent() -> None:
    with pytest.raises(TensorError, match="is not valid text") as caught:
        encode(np.array(["a", "\ud800"], object))
    assert caught.value.index == 1


def test_wrong_number_of_bytes_is_refused() -> None:
    with pytest.raises(TensorError, match=r"7 bytes of numbers; shape \[2\] of float32 takes 8"):
        decode(bytes(7), BY_NAME["FP32"], [2])


def test_body_is_split_where_it_was_joined() -> None:
    body, headers = join_body(b"{}", [b"ab", b"c"])
    text, rest = split_body(body, headers["Inference-Header-Content-Length"])
    assert (text, bytes(rest or b"")) == (b"{}", b"abc")
    assert join_body(b"{}", []) == (b"{}", {"Content-Type": "application/json"})
