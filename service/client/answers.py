"""Types of the server's answers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from service.client.faults import reading
from service.client.steps import Reply
from service.client.tensors import decode
from service.protocol import prediction
from service.protocol.options import AskedMeasure, measure_name, measure_text, quantity_name
from service.protocol.prediction import OutputPrediction


@dataclass(frozen=True)
class Prediction(prediction.Prediction):
    """Output name to prediction. With one output, `mean` and `variance` are its own.

    Equal to another of the same model and version with the same passes, seed and numbers.

    Attributes:
        outputs: the same mapping.
        passes: number of passes.
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


def read_prediction(
    reply: Reply, outputs: tuple[str, ...], measures: Sequence[AskedMeasure], request_id: str
) -> Prediction:
    """Read a prediction from an answer with every quantity of every output."""
    head, arrays = decode(reply)
    with reading(reply):
        found = {
            output: OutputPrediction(
                arrays[quantity_name(output, "mean")],
                arrays[quantity_name(output, "variance")],
                {measure_name(m): arrays[quantity_name(output, measure_text(m))] for m in measures},
            )
            for output in outputs
        }
        return Prediction(
            found,
            int(head["parameters"]["passes"]),
            int(head["parameters"]["seed"]),
            str(head["model_name"]),
            int(head["model_version"]),
            reply.headers.get("x-request-id", request_id),
        )


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
