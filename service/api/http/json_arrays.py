"""JSON with NumPy arrays in it."""

from typing import Any

import numpy as np
import orjson

from service.protocol.datatypes import holds_strings


def dumps(value: Any) -> bytes:
    """The JSON of a value, in which arrays of numbers or strings are nested lists."""
    return orjson.dumps(value, _serializable, orjson.OPT_SERIALIZE_NUMPY)


def _serializable(array: Any) -> Any:
    """The same as orjson takes it, which are contiguous arrays of numbers, and lists."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{type(array).__name__} is no JSON")
    return array.tolist() if holds_strings(array) else np.ascontiguousarray(array)
