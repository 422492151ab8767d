"""Inputs and outputs of a model, as described by the server."""

import json
from dataclasses import dataclass

from service.client.faults import reading
from service.client.steps import Reply
from service.protocol.datatypes import BY_TENSORFLOW


@dataclass(frozen=True)
class Tensor:
    """An input. Axis 0 is the rows; None is any size. `dtype` is the manifest's name."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Signature:
    """Inputs of a model, and the names of its outputs, in the model's order."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[str, ...]


def read_signature(reply: Reply) -> Signature:
    """Read the signature from an answer of /v1/models/{name}/metadata.

    The metadata of /v2 also lists "mean" and "variance", from which an output that is named
    "mean" could not be distinguished.

    Raises:
        ServerFaultError: it does not describe a model.
    """
    with reading(reply):
        metadata = json.loads(reply.content)["metadata"]
        signature = metadata["signature_def"]["signature_def"]["serving_default"]
        inputs = tuple(
            Tensor(
                name, BY_TENSORFLOW[tensor["dtype"]].dtype, _shape(tensor["tensor_shape"]["dim"])
            )
            for name, tensor in signature["inputs"].items()
        )
        outputs = tuple(signature["outputs"])
        if not inputs or not outputs:
            raise ValueError("a model without inputs or outputs")
    return Signature(inputs, outputs)


def _shape(sizes: list[dict[str, str]]) -> tuple[int | None, ...]:
    numbers = (int(size["size"]) for size in sizes)
    return tuple(None if number < 0 else number for number in numbers)
