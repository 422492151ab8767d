"""Read tensors of a request and write those of an answer, as JSON or as binary data after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from numpy.typing import NDArray

from service.api.http.json_arrays import dumps
from service.api.v2.json_data import Where, from_json, nested_places, unravel
from service.api.v2.schemas import InferInput
from service.errors import InputError
from service.inference.texts import require_few
from service.protocol import tensors
from service.protocol.datatypes import BY_NAME
from service.protocol.tensors import HEADER, TensorError

Array = NDArray[Any]


@dataclass(frozen=True)
class Inputs:
    """The input tensors of a request.

    Attributes:
        arrays: input name to array of the declared shape and datatype.
        places: input name to the renderer of places in messages.
    """

    arrays: Mapping[str, Array]
    places: Mapping[str, Where]


def split_body(body: bytes, header: str | None) -> tuple[bytes, memoryview | None]:
    """Split a body into its JSON and the bytes behind it; None without a header.

    Raises:
        InputError: the header is not a valid length for this body.
    """
    try:
        return tensors.split_body(body, header)
    except TensorError as error:
        raise InputError(str(error)) from error


def decode_inputs(inputs: Sequence[InferInput], binary: memoryview | None) -> Inputs:
    """Read every input tensor; binary ones are views of the body where it is aligned.

    Args:
        inputs: the inputs of the request.
        binary: the bytes behind the JSON; None without the header.

    Raises:
        InputError: with the place, the value and what would be right.
    """
    sizes = [_binary_size(tensor, f"inputs[{i}]") for i, tensor in enumerate(inputs)]
    _require_binary(sizes, binary)
    arrays: dict[str, Array] = {}
    places: dict[str, Where] = {}
    start = 0
    for index, (tensor, size) in enumerate(zip(inputs, sizes, strict=True)):
        place = f"inputs[{index}]"
        if tensor.name in arrays:
            raise InputError(
                f"{place}.name is {tensor.name!r}, the name of an earlier input. Send each input "
                f"once."
            )
        if size is None or binary is None:
            arrays[tensor.name], places[tensor.name] = from_json(tensor, place)
        else:
            arrays[tensor.name] = _from_bytes(tensor, binary[start : start + size], place)
            places[tensor.name] = nested_places(place)
            start += size
    return Inputs(arrays, places)


def _binary_size(tensor: InferInput, place: str) -> int | None:
    size = tensor.parameters.binary_data_size if tensor.parameters else None
    if (size is None) == (tensor.data is None):
        has = "no data and no" if size is None else "both data and"
        raise InputError(
            f"{place} has {has} parameters.binary_data_size. Send one: numbers in data, or their "
            "bytes behind the JSON."
        )
    if size is not None:
        each = BY_NAME[tensor.datatype].size
        if each is None:
            require_few(prod(tensor.shape), size, place)
        elif size != (wanted := prod(tensor.shape) * each):
            raise InputError(
                f"{place}.parameters.binary_data_size is {size}; shape {tensor.shape} of "
                f"{tensor.datatype} takes {wanted} bytes."
            )
    return size


def _require_binary(sizes: Sequence[int | None], binary: memoryview | None) -> None:
    """Check that the JSON is followed by as many bytes as the inputs declare."""
    claimed = [size for size in sizes if size is not None]
    if claimed and binary is None:
        raise InputError(
            f"the inputs have a binary_data_size, and the request has no header {HEADER}. It gives "
            f"the number of bytes of the JSON, which the tensors' bytes follow."
        )
    if binary is not None and len(binary) != sum(claimed):
        raise InputError(
            f"{len(binary)} bytes follow the JSON; the inputs' binary_data_size add up to "
            f"{sum(claimed)}."
        )


def _from_bytes(tensor: InferInput, content: memoryview, place: str) -> Array:
    try:
        return tensors.decode(content, BY_NAME[tensor.datatype], tensor.shape)
    except TensorError as error:
        indices = () if error.index is None else unravel(error.index, tensor.shape)
        raise InputError(f"{nested_places(place)(indices)} {error}") from error


@dataclass(frozen=True)
class Output:
    """A tensor of the answer, and whether its bytes follow the JSON."""

    name: str
    array: Array
    binary: bool


def encode_answer(
    head: Mapping[str, Any], outputs: Sequence[Output]
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of the answer: `head` with the outputs, followed by the binary ones."""
    described: list[dict[str, Any]] = []
    contents: list[bytes] = []
    for output in outputs:
        if output.binary:
            said, content = tensors.describe_binary(output.name, output.array)
            contents.append(content)
        else:
            said = tensors.describe(output.name, output.array)
            said["data"] = output.array.reshape(-1)
        described.append(said)
    return tensors.join_body(dumps({**head, "outputs": described}), contents)
