"""Binary tensors: the binary tensor extension of the Open Inference Protocol.

A body is JSON that describes tensors, followed by the elements of those that have a
`binary_data_size`, in their order: little-endian and row-major, so that a float64 arrives
bit for bit as it was sent. Strings are UTF-8, each preceded by its length in four bytes.
"""

from collections.abc import Sequence
from math import prod
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.protocol.datatypes import STRINGS, Datatype, datatype_of

Array = NDArray[Any]

#: The header with the number of bytes of the JSON in a body.
HEADER = "Inference-Header-Content-Length"
JSON, BINARY = "application/json", "application/octet-stream"


#: The length of a string in bytes of UTF-8, which precedes it.
_LENGTH = Struct("<I")


class TensorError(ValueError):
    """Bytes do not match the description of their tensor.

    Attributes:
        index: of the wrong element, in row-major order; None: no particular element.
    """

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.index = index


def describe(name: str, array: Array) -> dict[str, Any]:
    """The JSON of a tensor without its elements."""
    return {"name": name, "shape": list(array.shape), "datatype": datatype_of(array).name}


def describe_binary(name: str, array: Array) -> tuple[dict[str, Any], bytes]:
    """The JSON of a tensor whose elements follow as binary data, and this data."""
    content = encode(array)
    size = {"binary_data_size": len(content)}
    return {**describe(name, array), "parameters": size}, content


def join_body(head: bytes, tensors: Sequence[bytes]) -> tuple[bytes, dict[str, str]]:
    """Body and headers of JSON followed by the binary elements of tensors, if there are any."""
    if not tensors:
        return head, {"Content-Type": JSON}
    headers = {HEADER: str(len(head)), "Content-Type": BINARY}
    return b"".join([head, *tensors]), headers


def split_body(body: bytes, header: str | None) -> tuple[bytes, memoryview | None]:
    """The JSON of a body and the bytes after it; None without a header.

    Raises:
        TensorError: the header is not a valid length for this body.
    """
    if header is None:
        return body, None
    # Check for digits first: int() accepts a sign and spaces, and refuses long numbers.
    if not (header.isascii() and header.isdigit() and len(header) < 19):
        raise TensorError(f"the header {HEADER} is {header[:40]!r}; it must be a number of bytes.")
    length = int(header)
    if length > len(body):
        raise TensorError(
            f"the header {HEADER} says that the JSON has {length} bytes; the whole body has "
            f"{len(body)}."
        )
    return body[:length], memoryview(body)[length:]


def encode(array: Array) -> bytes:
    """The elements of an array as bytes.

    Raises:
        TensorError: a string is invalid, for example a surrogate without its pair.
    """
    datatype = datatype_of(array)
    if datatype is STRINGS:
        contents = map(_utf8, range(array.size), array.reshape(-1).tolist())
        return b"".join(part for one in contents for part in (_LENGTH.pack(len(one)), one))
    return np.ascontiguousarray(array, datatype.little).tobytes()


def decode(content: bytes | memoryview, datatype: Datatype, shape: Sequence[int]) -> Array:
    """The array for some bytes.

    Args:
        content: the elements.
        datatype: of each.
        shape: of the array.

    Returns:
        An aligned array of the shape; a view of `content` if that is aligned.

    Raises:
        TensorError: there are fewer or more elements, or one is invalid for the datatype.
    """
    if datatype.size is None:
        return _decode_strings(memoryview(content), prod(shape)).reshape(shape)
    wanted = prod(shape) * datatype.size
    if len(content) != wanted:
        raise TensorError(
            f"has {len(content)} bytes of numbers; shape {list(shape)} of {datatype.dtype} takes "
            f"{wanted}."
        )
    if datatype.name == "BOOL":
        _require_bools(content)
    array = np.frombuffer(content, datatype.little).astype(datatype.numpy, copy=False)
    # The bytes begin at any offset, and ONNX Runtime requires alignment.
    return np.require(array, requirements="A").reshape(shape)


def _utf8(index: int, text: str | bytes) -> bytes:
    try:
        return text.encode() if isinstance(text, str) else text
    except UnicodeEncodeError as error:
        raise TensorError(f"is not valid text: {error.reason}.", index) from None


def _decode_strings(content: memoryview, count: int) -> Array:
    """(count,) array of strings, each preceded by its length.

    Memory is not allocated for a claimed count.
    """
    texts: list[str] = []
    end = 0
    for index in range(count):
        start = end + _LENGTH.size
        if start > len(content):
            raise TensorError(
                f"is missing: the bytes end with the previous string, and {count} strings are "
                f"expected, each preceded by its length in four bytes.",
                index,
            )
        (length,) = _LENGTH.unpack_from(content, end)
        end = start + length
        if end > len(content):
            raise TensorError(
                f"has {length} bytes according to its length, and {len(content) - start} follow.",
                index,
            )
        try:
            texts.append(str(content[start:end], "utf-8"))
        except UnicodeDecodeError as error:
            raise TensorError(
                f"is not UTF-8: {error.reason} at byte {error.start}.", index
            ) from None
    if end < len(content):
        raise TensorError(f"has {len(content) - end} bytes more than its {count} strings take.")
    return np.fromiter(texts, object, count)


def _require_bools(content: bytes | memoryview) -> None:
    """Check that the bytes are 0 or 1; others have no defined meaning."""
    wrong = np.flatnonzero(np.frombuffer(content, np.uint8) > 1)
    if len(wrong):
        index = int(wrong[0])
        raise TensorError(f"is the byte {content[index]}; BOOL takes 0 or 1.", index)
