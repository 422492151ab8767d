"""A request for inference, from its body to its answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from numpy.typing import NDArray

from service.api import serving
from service.api.arrays import RAW
from service.api.body import off_loop, parse_json, read_body
from service.api.observe import seen
from service.api.v2.outputs import MOMENTS, Selected, select
from service.api.v2.parameters import InferParameters
from service.api.v2.schemas import EXAMPLE, InferRequest
from service.api.v2.tensors import HEADER, Output, decode_inputs, encode_answer, split_body
from service.inputs import Where
from service.jobs import Job
from service.options import Options
from service.predictor import Prediction, Predictor
from service.repository import Version

Array = NDArray[Any]


@dataclass(frozen=True)
class Call:
    """What a request asks of a model.

    Attributes:
        id: what the client calls it.
        outputs: what the answer holds, in order.
        options: how to sample.
        timeout: seconds that the client waits; None says nothing.
        passes: the job of the passes, None if no output needs them.
        off: the same of the pass with dropout off.
    """

    id: str | None
    outputs: list[Selected]
    options: Options
    timeout: float | None
    passes: Job | None
    off: Job | None


@dataclass(frozen=True)
class Answer:
    """What the model gave.

    Attributes:
        prediction: over passes, None if none were asked for.
        deterministic: output name to (B, …) with dropout off, empty if not asked for.
    """

    prediction: Prediction | None
    deterministic: Mapping[str, Array]

    def array(self, selected: Selected) -> Array:
        """(B, …) of one tensor asked for."""
        offer = selected.offer
        if offer.quantity is None or self.prediction is None:
            return self.deterministic[offer.output]
        predicted = self.prediction[offer.output]
        if offer.quantity in MOMENTS:
            values: Array = getattr(predicted, offer.quantity)
            return values
        return predicted.measures[offer.quantity]


async def infer(request: Request, name: str, number: int | None) -> Response:
    """Answer a request.

    Raises:
        MCDropoutError: it cannot be answered, saying why.
        HTTPException: its body is too large or compressed.
    """
    body = await read_body(request, (RAW,))
    version, predictor = serving.find(request, name, number)
    header = request.headers.get(HEADER)
    call = await off_loop(request, len(body), read_call, body, header, predictor)
    answer = await run_model(request, predictor, call)
    arrays = [answer.array(selected) for selected in call.outputs]
    size = sum(a.nbytes for a in arrays)
    response = await off_loop(request, size, write_answer, version, call, answer)
    seen(request).require_time()
    return response


async def run_model(request: Request, predictor: Predictor, call: Call) -> Answer:
    """Run what a call asks for; the one place that does."""
    prediction = None
    off: Mapping[str, Array] = {}
    if call.passes is not None:
        prediction = await serving.predict(
            request, predictor, call.passes, call.options, call.timeout
        )
    if call.off is not None:
        off = await serving.predict_deterministic(request, predictor, call.off, call.timeout)
    return Answer(prediction, off)


def read_call(body: bytes, header: str | None, predictor: Predictor) -> Call:
    """Check a body against its model.

    Args:
        body: JSON, and what follows it.
        header: what the request says of the JSON's length.
        predictor: of the model.

    Raises:
        InputError: naming the place, what is there and what would be right.
    """
    content, binary = split_body(body, header)
    asked = parse_json(InferRequest, content, EXAMPLE)
    parameters = asked.parameters or InferParameters()
    manifest = predictor.manifest
    outputs = select(manifest, asked.outputs, parameters.training, parameters.binary_data_output)
    inputs = decode_inputs(asked.inputs, binary)

    def places(name: str) -> Where:
        return inputs.places[name]

    quantities = dict.fromkeys(selected.offer.quantity for selected in outputs)
    measures = tuple(q for q in quantities if q is not None and q not in MOMENTS)
    options = parameters.options(measures)
    passes = off = None
    if any(quantities):
        passes = predictor.prepare(inputs.arrays, options, root="inputs", where=places)
    if None in quantities:
        off = predictor.prepare_deterministic(inputs.arrays, root="inputs", where=places)
    return Call(asked.id, outputs, options, parameters.seconds, passes, off)


def write_answer(version: Version, call: Call, answer: Answer) -> Response:
    """What goes back to the client."""
    head: dict[str, Any] = {"model_name": version.name, "model_version": str(version.number)}
    if call.id is not None:
        head["id"] = call.id
    if answer.prediction is not None:
        head["parameters"] = {"passes": answer.prediction.passes, "seed": answer.prediction.seed}
    outputs = [Output(s.name, answer.array(s), s.binary) for s in call.outputs]
    return encode_answer(head, outputs)
