"""A client of the Open Inference Protocol that is independent of the server's code."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from tests.service.reference import save

Array = NDArray[Any]
HEADER = "Inference-Header-Content-Length"

#: Datatype of the protocol to its name in ONNX's text form, its ONNX number and its NumPy name.
TYPES = {
    "BOOL": ("bool", 9, "bool"),
    "UINT8": ("uint8", 2, "uint8"),
    "UINT16": ("uint16", 4, "uint16"),
    "UINT32": ("uint32", 12, "uint32"),
    "UINT64": ("uint64", 13, "uint64"),
    "INT8": ("int8", 3, "int8"),
    "INT16": ("int16", 5, "int16"),
    "INT32": ("int32", 6, "int32"),
    "INT64": ("int64", 7, "int64"),
    "FP16": ("float16", 10, "float16"),
    "FP32": ("float", 1, "float32"),
    "FP64": ("double", 11, "float64"),
}
#: Texts are not a type of the model whose inputs are of all types.
_ANSWERED = {datatype: dtype for datatype, (_, _, dtype) in TYPES.items()} | {"BYTES": "str"}
DATATYPES = {dtype: name for name, (_, _, dtype) in TYPES.items()}


def datatype(array: Array) -> str:
    return DATATYPES[array.dtype.name]


def tensor(name: str, array: Array, nested: bool = False) -> dict[str, Any]:
    """An input in JSON."""
    data = array.tolist() if nested else array.ravel().tolist()
    return {"name": name, "shape": list(array.shape), "datatype": datatype(array), "data": data}


def packed(arrays: Mapping[str, Array], **rest: Any) -> dict[str, Any]:
    """Arguments of a POST request whose inputs are binary data after the JSON."""
    inputs = [
        {
            "name": name,
            "shape": list(array.shape),
            "datatype": datatype(array),
            "parameters": {"binary_data_size": array.nbytes},
        }
        for name, array in arrays.items()
    ]
    text = json.dumps({"inputs": inputs, **rest}).encode()
    tail = [array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays.values()]
    return {"content": b"".join([text, *tail]), "headers": {HEADER: str(len(text))}}


def opened(response: httpx.Response) -> tuple[dict[str, Any], dict[str, Array]]:
    """The JSON of an answer, and its outputs by name."""
    assert response.status_code == 200, response.text
    length = int(response.headers.get(HEADER, len(response.content)))
    answer: dict[str, Any] = json.loads(response.content[:length])
    tail, arrays = response.content[length:], {}
    for output in answer["outputs"]:
        if "data" in output:
            array = np.array(output["data"], _ANSWERED[output["datatype"]])
        else:
            size = output["parameters"]["binary_data_size"]
            array, tail = _unpacked(tail[:size], output["datatype"]), tail[size:]
        arrays[output["name"]] = array.reshape(output["shape"])
    assert not tail
    return answer, arrays


def _unpacked(content: bytes, datatype: str) -> Array:
    """The elements of a binary tensor; those of texts have their lengths before them."""
    if datatype != "BYTES":
        return np.frombuffer(content, np.dtype(_ANSWERED[datatype]).newbyteorder("<"))
    texts, start = [], 0
    while start < len(content):
        end = start + 4 + int.from_bytes(content[start : start + 4], "little")
        texts.append(content[start + 4 : end].decode())
        start = end
    return np.array(texts)


def save_all_types(path: Path) -> None:
    """Save a model with an input of every type and the outputs y and z."""
    casts = [f"c_{name} = Cast<to = 1>({name})" for name in TYPES]
    total = f"s = Sum({', '.join(f'c_{name}' for name in TYPES)})"
    path.parent.mkdir(parents=True)
    save(
        " ".join([*casts, total, "[drop] y = Dropout(s, half, on) z = Cast<to = 11>(y)"]),
        path,
        "float half = {0.5}, bool on = {1}",
        ", ".join(f"{onnx}[batch, 2] {name}" for name, (onnx, _, _) in TYPES.items()),
        "float[batch, 2] y, double[batch, 2] z",
    )


def rows_of_all_types(rows: int = 3) -> dict[str, Array]:
    """Input name to (rows, 2) array of its type."""
    count = 2 * rows
    return {
        name: (np.arange(count).reshape(rows, 2) * (index + 1) % 7).astype(dtype)
        for index, (name, (_, _, dtype)) in enumerate(TYPES.items())
    }
