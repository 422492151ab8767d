"""What the server answered, in types."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.client.faults import reading
from service.client.steps import Reply
from service.client.tensors import decode

Array = NDArray[Any]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OutputPrediction:
    """What the passes say of one output. Equal to another with the same numbers.

    Attributes:
        mean: (B, …) float64, mean over passes.
        variance: (B, …) float64, unbiased sample variance over passes.
        measures: name to (B, …) float64, as asked for.
    """

    mean: Float64
    variance: Float64
    measures: Mapping[str, Float64] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OutputPrediction):
            return NotImplemented
        return (
            np.array_equal(self.mean, other.mean)
            and np.array_equal(self.variance, other.variance)
            and self.measures.keys() == other.measures.keys()
            and all(np.array_equal(y, other.measures[k]) for k, y in self.measures.items())
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Prediction(Mapping[str, OutputPrediction]):
    """Output name to prediction. With one output, `mean` and `variance` are its own.

    Equal to another of the same model and version with the same passes, seed and numbers.

    Attributes:
        outputs: the same mapping.
        passes: that were run.
        seed: ask with it again for the same answer.
        model, version: that answered.
        request_id: by which the server's log knows the request.
    """

    outputs: Mapping[str, OutputPrediction]
    passes: int
    seed: int
    model: str
    version: int
    request_id: str = field(compare=False)

    def __getitem__(self, name: str) -> OutputPrediction:
        return self.outputs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.outputs)

    @property
    def mean(self) -> Float64:
        """(B, …) float64, of the only output."""
        return self._only().mean

    @property
    def variance(self) -> Float64:
        """(B, …) float64, of the only output."""
        return self._only().variance

    @property
    def measures(self) -> Mapping[str, Float64]:
        """Measures of the only output."""
        return self._only().measures

    def _only(self) -> OutputPrediction:
        if len(self.outputs) > 1:
            raise AttributeError(
                f"the model has several outputs; name one: prediction[{next(iter(self))!r}].mean "
                f"(there are {list(self)})."
            )
        return next(iter(self.outputs.values()))


@dataclass(frozen=True)
class VersionStatus:
    """One version of a model.

    Attributes:
        version: its number.
        state: "ready" if it can answer; else for example "loading", "failed" or "unloaded".
        reason: why it cannot answer, else empty.
    """

    version: int
    state: str
    reason: str


@dataclass(frozen=True)
class IndexEntry:
    """One version of a model, as the model repository lists it.

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


def quantity(output: str, name: str) -> str:
    """What the protocol calls a quantity of an output, however many outputs there are."""
    return f"{output}.{name}"


def read_prediction(
    reply: Reply, outputs: tuple[str, ...], measures: tuple[str, ...], request_id: str
) -> Prediction:
    """A prediction out of an answer that holds every quantity of every output."""
    head, arrays = decode(reply)
    with reading(reply):
        found = {
            output: OutputPrediction(
                arrays[quantity(output, "mean")],
                arrays[quantity(output, "variance")],
                {name: arrays[quantity(output, name)] for name in measures},
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
            raise ValueError("an object was to come")
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
