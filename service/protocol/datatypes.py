"""Element types of tensors, and their names in each format."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Datatype:
    """One element type.

    Attributes:
        name: in the Open Inference Protocol.
        dtype: in the manifest, which uses NumPy's names.
        onnx: in ONNX, of `TensorProto.DataType`.
        tensorflow: in TensorFlow, of `DataType`.
        size: bytes of an element; None: variable.
    """

    name: str
    dtype: str
    onnx: str
    tensorflow: str
    size: int | None

    @property
    def triton(self) -> str:
        """In Triton's model configuration."""
        return "TYPE_STRING" if self is STRINGS else f"TYPE_{self.name}"

    @cached_property
    def numpy(self) -> "np.dtype[Any]":
        """NumPy dtype of arrays of such elements; for strings, object with `str` elements."""
        return np.dtype(object if self is STRINGS else self.dtype)

    @property
    def little(self) -> "np.dtype[Any]":
        """The same in little-endian byte order."""
        return self.numpy.newbyteorder("<")


def _whole_number(bits: int, sign: str) -> Datatype:
    name = f"{sign}INT{bits}"
    return Datatype(name, name.lower(), name, f"DT_{name}", bits // 8)


#: Arrays of NumPy's own string types count as strings, too.
STRINGS = Datatype("BYTES", "string", "STRING", "DT_STRING", None)

DATATYPES = (
    Datatype("BOOL", "bool", "BOOL", "DT_BOOL", 1),
    *(_whole_number(bits, "U") for bits in (8, 16, 32, 64)),
    *(_whole_number(bits, "") for bits in (8, 16, 32, 64)),
    Datatype("FP16", "float16", "FLOAT16", "DT_HALF", 2),
    Datatype("FP32", "float32", "FLOAT", "DT_FLOAT", 4),
    Datatype("FP64", "float64", "DOUBLE", "DT_DOUBLE", 8),
    STRINGS,
)

BY_NAME: Mapping[str, Datatype] = {one.name: one for one in DATATYPES}
BY_DTYPE: Mapping[str, Datatype] = {one.dtype: one for one in DATATYPES}
BY_ONNX: Mapping[str, Datatype] = {one.onnx: one for one in DATATYPES}
BY_TENSORFLOW: Mapping[str, Datatype] = {one.tensorflow: one for one in DATATYPES}


def datatype_of(array: "np.ndarray[Any, Any]") -> Datatype:
    """The datatype of an array's elements.

    Raises:
        KeyError: there is none.
    """
    return STRINGS if holds_strings(array) else BY_DTYPE[array.dtype.name]


def holds_strings(array: "np.ndarray[Any, Any]") -> bool:
    """Whether an array's elements are strings by its dtype: `str`, `bytes` or object."""
    return array.dtype.kind in "OUST"
