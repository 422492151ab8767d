"""Arrays of strings: their memory, and their validation.

In the server such an array has dtype `object`, with a `str` in each element: NumPy's string
types pad every string to the longest.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import InputError, Loc
from service.protocol.datatypes import holds_strings

Array = NDArray[Any]

#: Strings that every body may have, and bytes of it for which it may have one more: each
#: takes many times the bytes that it may be sent in.
FREE, BYTES_EACH = 1 << 20, 16
#: Texts of up to this number of characters count as equally long.
_FEW = 1024
#: Overhead of a Python string and of a reference to it, in bytes.
_STRING, _REFERENCE = 49, 8


def require_few(count: int, size: int, what: str) -> None:
    """Check that an array of strings will not need many times the bytes that hold them.

    Args:
        count: of strings.
        size: of the bytes that hold them.
        what: to call them in messages.

    Raises:
        InputError: there are too many for their size.
    """
    maximum = FREE + size // BYTES_EACH
    if count > maximum:
        raise InputError(
            f"{what} has {count} strings in {size} bytes, and at most {maximum} are allowed for "
            f"this size. Send fewer rows at a time."
        )


def as_texts(array: Array, loc: Loc) -> Array:
    """An array of `str` of one whose elements are strings of any kind, or bytes of UTF-8.

    Args:
        array: of any shape.
        loc: of the array in what was sent.

    Raises:
        InputError: with the first element that is not valid text, and why.
    """
    texts = np.empty(array.size, object)
    for index, value in enumerate(array.reshape(-1).tolist()):
        try:
            text = str(value, "utf-8") if isinstance(value, bytes) else value
            if not isinstance(text, str):
                raise TypeError(f"of type {type(value).__name__}, and no string")
            if not text.isascii():
                text.encode()
        except (TypeError, UnicodeError) as error:
            indices = (int(i) for i in np.unravel_index(index, array.shape))
            raise InputError(f"is {_fault(error)}. Send text in UTF-8.", (*loc, *indices)) from None
        texts[index] = text
    return texts.reshape(array.shape)


def _fault(error: TypeError | UnicodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 ({error.reason} at byte {error.start})"
    if isinstance(error, UnicodeEncodeError):
        return f"not valid text: {error.reason} at character {error.start}"
    return str(error)


def size_in_memory(array: Array) -> int:
    """Bytes of an array including its strings, whatever the width of their characters."""
    if not holds_strings(array) or array.dtype != object:
        return int(array.nbytes)
    return array.size * (_STRING + _REFERENCE) + 4 * sum(map(len, array.flat))


def max_letters(array: Array) -> int:
    """Maximum characters of a string, rounded up to one of a few values; 0 for numeric arrays.

    Only rows with the same maximum run together, since the longest text determines their memory.
    """
    if array.dtype != object:
        return 0
    longest = max(map(len, array.flat), default=0)
    return max(_FEW, 1 << (longest - 1).bit_length()) if longest else _FEW
