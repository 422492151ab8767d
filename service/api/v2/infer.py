"""Inference requests, from the body to the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastapi import Request, Response
from numpy.typing import NDArray

from service.api.http.app_state import context_of, state_of
from service.api.http.body import parse_json, read_body
from service.api.http.errors import placed
from service.api.v2.outputs import BY_ROW, Selected, default_outputs, select
from service.api.v2.parameters import InferParameters, Parameters
from service.api.v2.schemas import EXAMPLE, InferRequest
from service.api.v2.tensors import Inputs, Output, decode_inputs, encode_answer, split_body
from service.errors import InputError, Loc
from service.inference.predictor import Predictor
from service.protocol.options import MOMENTS, Options
from service.protocol.prediction import Prediction, Stopped
from service.protocol.tensors import BINARY, HEADER
from service.serving.context import Context
from service.serving.data_plane import DataPlane
from service.serving.offload import offload

Array = NDArray[Any]


@dataclass(frozen=True)
class Decoded:
    """A decoded inference request.

    Attributes:
        id: given by the client.
        inputs: its tensors.
        outputs: tensors of the answer, in order.
        options: how to sample.
        timeout: request deadline in seconds; None: the server's limit.
    """

    id: str | None
    inputs: Inputs
    outputs: list[Selected]
    options: Options
    timeout: float | None

    def place(self, loc: Loc) -> str:
        """Render a place in the inputs."""
        match loc:
            case (str(name), *indices):
                return self.inputs.places[name](tuple(int(i) for i in indices))
        return "inputs"


@dataclass(frozen=True)
class Answer:
    """The results of the model.

    Attributes:
        prediction: over passes; None if not requested.
        deterministic: output name to (B, …) with dropout off; empty if not requested.
    """

    prediction: Prediction | None
    deterministic: Mapping[str, Array]

    def array(self, selected: Selected) -> Array:
        """(B, …) array of one requested tensor."""
        offer = selected.offer
        if offer.quantity is None or self.prediction is None:
            return self.deterministic[offer.output]
        if offer.quantity in BY_ROW:
            return _of_rows(self.prediction)[offer.quantity]
        predicted = self.prediction[offer.output]
        if offer.quantity in MOMENTS:
            values: Array = getattr(predicted, offer.quantity)
            return values
        return predicted.measures[offer.quantity]


def _of_rows(prediction: Prediction) -> Mapping[str, Array]:
    """The passes of each row, which are the same without a stopping rule."""
    rows = len(next(iter(prediction.values())).mean)
    fixed = Stopped(np.full(rows, prediction.passes), np.ones(rows, np.bool_))
    return (prediction.stopped or fixed).by_name


async def infer(request: Request, name: str, version: int | None) -> Response:
    """Answer a request.

    Raises:
        MCDropoutError: it cannot be answered; with the reason.
        HTTPException: its body is too large or compressed.
    """
    body = await read_body(request, (BINARY,))
    plane, context = state_of(request).plane, context_of(request)
    predictor = plane.find(name, version, context)
    header = request.headers.get(HEADER)
    asked = await offload(context, len(body), decode, body, header, predictor)
    del body
    context.limit(asked.timeout)
    with placed(asked.place):
        answer = await run_model(plane, predictor, asked, context)
    arrays = [answer.array(selected) for selected in asked.outputs]
    size = sum(a.nbytes for a in arrays)
    response = await offload(context, size, encode, asked, answer, context)
    context.require_time()
    return response


async def run_model(
    plane: DataPlane, predictor: Predictor, asked: Decoded, context: Context
) -> Answer:
    """Run a decoded request."""
    quantities = {selected.offer.quantity for selected in asked.outputs}
    x, prediction = asked.inputs.arrays, None
    off: Mapping[str, Array] = {}
    if quantities - {None}:
        prediction = await plane.predict(predictor, x, asked.options, context)
    if None in quantities:
        off = await plane.predict_deterministic(predictor, x, context)
    return Answer(prediction, off)


def decode(body: bytes, header: str | None, predictor: Predictor) -> Decoded:
    """Read a body.

    Args:
        body: JSON, and the bytes that follow it.
        header: the declared length of the JSON.
        predictor: of the model.

    Raises:
        InputError: with the place, the value and what would be right.
    """
    content, binary = split_body(body, header)
    asked = parse_json(InferRequest, content, EXAMPLE, predictor)
    parameters = asked.parameters or InferParameters()
    outputs, options = _wanted(asked, parameters, predictor)
    inputs = decode_inputs(asked.inputs, binary)
    return Decoded(asked.id, inputs, outputs, options, parameters.seconds)


def _wanted(
    asked: InferRequest, parameters: Parameters, predictor: Predictor
) -> tuple[list[Selected], Options]:
    """The tensors of the answer, and how to sample for them."""
    how = parameters.training, parameters.binary_data_output
    named = parameters.measure_names
    if not asked.outputs:
        options = parameters.options(named)
        return default_outputs(predictor, options, *how), options
    if named is not None:
        raise InputError(
            "parameters.measures is for a request without outputs, and there are some: name the "
            "measures as outputs."
        )
    outputs = select(predictor, asked.outputs, *how)
    measures = list(dict.fromkeys(s.measure for s in outputs if s.measure is not None))
    return outputs, parameters.options(measures)


def encode(asked: Decoded, answer: Answer, context: Context) -> Response:
    """Encode the response."""
    head: dict[str, Any] = {"model_name": context.model, "model_version": context.version}
    if asked.id is not None:
        head["id"] = asked.id
    if answer.prediction is not None:
        head["parameters"] = {"passes": answer.prediction.passes, "seed": answer.prediction.seed}
    outputs = [Output(s.name, answer.array(s), s.binary) for s in asked.outputs]
    body, headers = encode_answer(head, outputs)
    return Response(body, headers=headers)
