"""Requests and answers whose tensors are bytes (see `service.protocol.tensors`)."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.client.faults import reading
from service.client.steps import Reply
from service.protocol import tensors
from service.protocol.datatypes import BY_NAME
from service.protocol.tensors import HEADER

Array = NDArray[Any]


def encode(arrays: Mapping[str, Array], rest: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
    """Body and headers of an inference request.

    Args:
        arrays: input name to (B, …) array, of a dtype in `service.protocol.datatypes`.
        rest: further fields of the JSON; NumPy's numbers count as numbers.
    """
    parts = [tensors.describe_binary(name, array) for name, array in arrays.items()]
    inputs = [described for described, _ in parts]
    head = json.dumps({"inputs": inputs, **rest}, default=_plain).encode()
    return tensors.join_body(head, [content for _, content in parts])


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} is not a number, text or list.")


def decode(reply: Reply) -> tuple[dict[str, Any], dict[str, Array]]:
    """The JSON of an answer, and its outputs by name as writable arrays.

    Raises:
        ServerFaultError: it does not conform to the protocol.
    """
    with reading(reply):
        text, binary = tensors.split_body(reply.content, reply.headers.get(HEADER.lower()))
        head: dict[str, Any] = json.loads(text)
        content, arrays, start = binary or memoryview(b""), {}, 0
        for output in head["outputs"]:
            size = int(output["parameters"]["binary_data_size"])
            own, kind = content[start : start + size], BY_NAME[output["datatype"]]
            # A copy: the original is not writable.
            arrays[str(output["name"])] = tensors.decode(own, kind, output["shape"]).copy()
            start += size
        if start != len(content):
            raise ValueError(f"its outputs end at byte {start} of {len(content)}")
    return head, arrays
