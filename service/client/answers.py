"""Types of the server's answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from service.client.faults import reading
from service.client.steps import Reply
from service.client.tensors import decode
from service.protocol import prediction
from service.protocol.datatypes import holds_strings
from service.protocol.options import MOMENTS
from service.protocol.prediction import OutputPrediction, Stopped

Array = NDArray[Any]


@dataclass(frozen=True)
class Prediction(prediction.Prediction):
    """Output name to prediction. With one output, `mean` and `variance` are its own.

    Equal to another of the same model and version with the same passes, seed and numbers.

    Attributes:
        outputs: the same mapping.
        passes: number of passes; with a stopping rule, of the row with the most.
        seed: random seed, which reproduces the answer.
        model, version: that answered.
        request_id: identifies the request in the server's log.
    """

    model: str
    version: int
    request_id: str = field(compare=False)


@dataclass(frozen=True)
class VersionStatus:
    """One version of a model.

    Attributes:
        version: its number.
        state: "ready" if it can answer; else for example "loading", "failed" or "unloaded".
        reason: why it cannot answer; else empty.
    """

    version: int
    state: str
    reason: str


@dataclass(frozen=True)
class IndexEntry:
    """One version of a model, as listed by the model repository.

    Attributes:
        name: of the model.
        version: its number.
        state: READY, LOADING or UNAVAILABLE.
        reason: why it is not ready, else empty.
    """

    name: str
    version: int
    state: str
    reason: str


def read_prediction(reply: Reply, outputs: tuple[str, ...], request_id: str) -> Prediction:
    """Read a prediction from an answer with every quantity of every output."""
    head, arrays = decode(reply)
    with reading(reply):
        stopped = Stopped.read(arrays)
        for name in stopped.by_name if stopped else ():
            del arrays[name]
        found = {output: read_output(_quantities(arrays, output, outputs)) for output in outputs}
        return Prediction(
            found,
            int(head["parameters"]["passes"]),
            int(head["parameters"]["seed"]),
            str(head["model_name"]),
            int(head["model_version"]),
            reply.headers.get("x-request-id", request_id),
            stopped=stopped,
        )


def _quantities(
    arrays: Mapping[str, Array], output: str, outputs: tuple[str, ...]
) -> dict[str, Array]:
    """The tensors of an output by quantity, whose names have no dot; of one, they may be bare."""
    found = {
        name.removeprefix(f"{output}."): array
        for name, array in arrays.items()
        if len(outputs) == 1 or name.startswith(f"{output}.")
    }
    return {quantity: array for quantity, array in found.items() if "." not in quantity}


def read_output(found: dict[str, Array]) -> OutputPrediction:
    """What is said of one output, from (B, …) arrays by quantity."""
    mean, variance = (found.pop(moment) for moment in MOMENTS)
    # Strings as the library gives them; the protocol's are objects.
    measures = {name: y.astype(str) if holds_strings(y) else y for name, y in found.items()}
    return OutputPrediction(mean, variance, measures)


def read_details(reply: Reply) -> dict[str, Any]:
    """A JSON object."""
    with reading(reply):
        found = json.loads(reply.content)
        if not isinstance(found, dict):
            raise ValueError("an object was expected")
    return found


def read_models(reply: Reply) -> dict[str, list[VersionStatus]]:
    """Model name to its versions, the newest first."""
    with reading(reply):
        return {
            str(model["name"]): [
                VersionStatus(int(v["version"]), str(v["state"]), str(v["reason"]))
                for v in model["versions"]
            ]
            for model in json.loads(reply.content)["models"]
        }


def read_index(reply: Reply) -> list[IndexEntry]:
    """Every version of every model."""
    with reading(reply):
        return [
            IndexEntry(str(e["name"]), int(e["version"]), str(e["state"]), str(e["reason"]))
            for e in json.loads(reply.content)
        ]
