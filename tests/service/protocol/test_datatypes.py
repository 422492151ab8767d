"""One table of element types: every name of a type leads to the same type."""

import numpy as np
import onnx
import pytest

from service.protocol.datatypes import (
    BY_DTYPE,
    BY_NAME,
    BY_ONNX,
    BY_TENSORFLOW,
    DATATYPES,
    Datatype,
    datatype_of,
)


@pytest.mark.parametrize("datatype", DATATYPES, ids=lambda one: one.name)
def test_each_name_gives_the_same_type(datatype: Datatype) -> None:
    assert BY_NAME[datatype.name] is BY_DTYPE[datatype.dtype] is datatype
    assert BY_ONNX[datatype.onnx] is BY_TENSORFLOW[datatype.tensorflow] is datatype
    number = onnx.TensorProto.DataType.Value(datatype.onnx)
    assert onnx.helper.tensor_dtype_to_np_dtype(number) == datatype.numpy


@pytest.mark.parametrize("datatype", DATATYPES, ids=lambda one: one.name)
def test_type_is_found_for_arrays(datatype: Datatype) -> None:
    assert datatype_of(np.zeros(3, datatype.little)) is datatype
    assert datatype.size is None or np.zeros(3, datatype.numpy).nbytes == 3 * datatype.size


def test_numpy_strings_are_strings() -> None:
    for array in (np.array(["a", "bc"]), np.array([b"a"]), np.array(["a"], object)):
        assert datatype_of(array).name == "BYTES"
