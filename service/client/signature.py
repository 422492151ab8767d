"""What a model takes and gives, as the server describes it."""

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
    """That of an answer of /v1/models/{name}/metadata, which names each output by itself.

    /v2's lists "mean" and "variance" beside the outputs, and an output that is called
    "mean" could not be told from them.

    Raises:
        ServerFaultError: it describes no model.
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
