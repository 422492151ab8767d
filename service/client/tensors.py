"""Tensors as bytes: JSON that describes them, and behind it their elements.

That is the binary tensor extension of the Open Inference Protocol. Elements are
little-endian and row-major, so that a float64 arrives as it was sent, to the last bit.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.client.faults import reading
from service.client.steps import Reply

Array = NDArray[Any]

#: How many bytes of a body are its JSON.
HEADER = "Inference-Header-Content-Length"

#: The protocol's names of element types, to numpy's.
DTYPES: Mapping[str, str] = {
    "BOOL": "bool",
    **{f"UINT{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"float{bits}" for bits in (16, 32, 64)},
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def encode(arrays: Mapping[str, Array], rest: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
    """Body and headers of an inference request.

    Args:
        arrays: input name to (B, …) array, of a dtype in `DTYPES`.
        rest: what the JSON says beside the inputs; numpy's numbers count as numbers.
    """
    little = {
        name: np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        for name, array in arrays.items()
    }
    inputs = [
        {
            "name": name,
            "shape": array.shape,
            "datatype": _NAMES[array.dtype.name],
            "parameters": {"binary_data_size": array.nbytes},
        }
        for name, array in little.items()
    ]
    head = json.dumps({"inputs": inputs, **rest}, default=_plain).encode()
    body = b"".join([head, *(array.tobytes() for array in little.values())])
    return body, {HEADER: str(len(head)), "Content-Type": "application/octet-stream"}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} is no number, text or list.")


def decode(reply: Reply) -> tuple[dict[str, Any], dict[str, Array]]:
    """The JSON of an answer, and its outputs by name as arrays that may be written to.

    Raises:
        ServerFaultError: it is not what the protocol says.
    """
    with reading(reply):
        length = int(reply.headers.get(HEADER.lower(), len(reply.content)))
        head: dict[str, Any] = json.loads(reply.content[:length])
        arrays, start = {}, length
        for output in head["outputs"]:
            dtype = np.dtype(DTYPES[output["datatype"]])
            size = int(output["parameters"]["binary_data_size"])
            content = memoryview(reply.content)[start : start + size]
            flat = np.frombuffer(content, dtype.newbyteorder("<"))
            # A copy: the original is not writable, nor aligned.
            arrays[str(output["name"])] = flat.astype(dtype).reshape(output["shape"])
            start += size
        if start != len(reply.content):
            raise ValueError(f"its outputs end at byte {start} of {len(reply.content)}")
    return head, arrays
