"""The requests: a mix of models, rows, passes and protocols."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from service import Predictor, load_model
from service.protocol.options import Masks

STORE = Path(__file__).resolve().parent.parent.parent / "models" / "store"
#: Header with the length of the JSON part of a body; tensors follow it.
HEADER = "Inference-Header-Content-Length"

#: Requests per scenario, of which a client picks one at random.
QUESTIONS = 32
SEEDED = 8

Array = NDArray[Any]


@dataclass(frozen=True)
class Scenario:
    """One kind of request, and its share of the requests.

    Attributes:
        model: by name.
        rows: of a request.
        passes: of a request.
        weight: share of the requests, relative to the other weights.
        binary: whether it is sent as binary data to /v2, or as JSON to /v1.
        masks: see `service.inference.options.Options`.
    """

    model: str
    rows: int
    passes: int
    weight: int
    binary: bool = False
    masks: Masks = "shared"

    @property
    def name(self) -> str:
        """All fields but the weight."""
        own = " per row" if self.masks == "per_row" else ""
        form = "binary" if self.binary else "JSON"
        return f"{self.model} {self.rows}×{self.passes}{own} {form}"


SCENARIOS = (
    Scenario("digits", 1, 100, 10),
    Scenario("digits", 1, 100, 6, binary=True),
    Scenario("digits", 32, 100, 2),
    Scenario("digits", 32, 100, 2, binary=True),
    Scenario("digits", 1, 1000, 2),
    Scenario("co2", 1, 100, 10),
    Scenario("co2", 64, 50, 2, binary=True),
    Scenario("co2", 4, 100, 2, masks="per_row"),
)


@dataclass(frozen=True)
class Question:
    """A request that is ready to be sent, and its expected answer.

    Attributes:
        scenario: of the request.
        path: URL path for the POST request.
        headers: in addition to those of every request.
        body: JSON, followed by the rows if it is binary.
        width: numbers that the model returns for a row.
        seed: None: the server chooses one.
        reference: mean and variance, stacked: (2, rows, width) float64; None without a seed.
    """

    scenario: Scenario
    path: str
    headers: dict[str, str]
    body: bytes
    width: int
    seed: int | None = None
    reference: Array | None = None


def questions() -> dict[str, list[Question]]:
    """Name of a scenario to its requests; computing the references takes about a second."""
    models = {name: load_model(_newest(name)) for name in ("digits", "co2")}
    rng = np.random.default_rng(0)
    return {
        scenario.name: [
            _question(
                scenario,
                models[scenario.model],
                _rows(scenario, rng),
                int(rng.integers(1 << 53)) if number < SEEDED else None,
            )
            for number in range(QUESTIONS)
        ]
        for scenario in SCENARIOS
    }


def _rows(scenario: Scenario, rng: np.random.Generator) -> Array:
    """Random rows that resemble the model's data, whose packages take seconds to import."""
    if scenario.model == "digits":
        return rng.integers(0, 17, (scenario.rows, 64)).astype(np.float32)
    return rng.uniform(1958, 2011, (scenario.rows, 1)).astype(np.float32)


def _newest(name: str) -> Path:
    return max((STORE / name).iterdir(), key=lambda version: int(version.name)) / "model.onnx"


def _question(scenario: Scenario, model: Predictor, x: Array, seed: int | None) -> Question:
    reference = None
    if seed is not None:
        found = model.predict(x, scenario.passes, seed, masks=scenario.masks)
        reference = np.stack([found.mean, found.variance])
    # Mean and variance alone, which are what the figures of all models are about.
    options = {"passes": scenario.passes, "masks": scenario.masks, "calibrated": False}
    options |= {} if seed is None else {"seed": seed}
    spec, width = model.manifest.inputs[0], int(model.manifest.outputs[0].shape[-1] or 1)
    if not scenario.binary:
        path, headers = f"/v1/models/{scenario.model}:predict", {"Content-Type": "application/json"}
        body = orjson.dumps({"instances": x.tolist(), **options})
        return Question(scenario, path, headers, body, width, seed, reference)
    tensor: dict[str, Any] = {"name": spec.name, "shape": x.shape, "datatype": "FP32"}
    tensor["parameters"] = {"binary_data_size": x.nbytes}
    text = orjson.dumps({"inputs": [tensor], "parameters": {**options, "binary_data_output": True}})
    headers = {HEADER: str(len(text)), "Content-Type": "application/octet-stream"}
    path, body = f"/v2/models/{scenario.model}/infer", text + x.astype("<f4").tobytes()
    return Question(scenario, path, headers, body, width, seed, reference)
