"""The native protocol under /v1, in TensorFlow Serving's REST form."""

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.convertors import StringConvertor, register_url_convertor

from service.api.http.accept import preferred
from service.api.http.app_state import context_of, state_of
from service.api.http.body import content_type, describe_body, read_body
from service.api.http.examples import DIGIT, YEAR, Name, examples
from service.api.http.keys import needs
from service.api.http.schemas import ERRORS, Error
from service.api.http.versions import Number
from service.api.tfserving import codec, models
from service.api.tfserving.arrays import BINARY, NPZ
from service.api.tfserving.question import Question
from service.api.tfserving.schemas import (
    ModelDetails,
    ModelList,
    ModelMetadata,
    PredictRequest,
    PredictResponse,
)
from service.api.tfserving.streams import FORMS, NDJSON, SSE, respond
from service.serving.offload import offload

JSON = "application/json"
#: Media types of answers.
ANSWERED = (JSON, NPZ, *FORMS)
_BYTES = {"type": "string", "format": "binary"}
_LINES = """\
{"model":"co2","version":"1","passes":32,"seed":7,"final":false,"predictions":[…]}
{"model":"co2","version":"1","passes":50,"seed":7,"final":true,"predictions":[…]}
"""
_EVENTS = """\
event: estimate
data: {"model":"co2","version":"1","passes":32,"seed":7,"final":false,"predictions":[…]}

event: final
data: {"model":"co2","version":"1","passes":50,"seed":7,"final":true,"predictions":[…]}

"""
_EXAMPLES = examples(
    {
        "co2": ("a regression", {"instances": [YEAR], "passes": 100, "seed": 7}),
        "co2_tolerance": (
            "as many passes as a tolerance takes",
            {"instances": [YEAR], "passes": {"max": 2000, "tolerance": 0.05}},
        ),
        "digits": (
            "a classification with measures",
            {"instances": [DIGIT], "passes": 100, "measures": ["label", "mutual_information"]},
        ),
        "digits_off": ("dropout off", {"inputs": [DIGIT], "training": False}),
    }
)
_PREDICT: dict[str, Any] = {
    "response_model": PredictResponse,
    "responses": {
        200: {
            "content": {
                NPZ: {"schema": _BYTES},
                SSE: {"schema": {"type": "string"}, "example": _EVENTS},
                NDJSON: {"schema": {"type": "string"}, "example": _LINES},
            },
            "description": "in the format that Accept requests: the answer, or a stream of running "
            "estimates after 32, 64, 128 … passes and the answer last, each an object like the "
            'answer with the field "final". An error after the first of them is the last event, '
            '{"error": …, "status": …}',
        },
        413: {"model": Error, "description": "the body is too large"},
        415: {"model": Error, "description": "the body is compressed, or of an unsupported type"},
        422: {"model": Error, "description": "the model answered with NaN or infinity"},
        429: {
            "model": Error,
            "description": "too many in-flight requests; retry after Retry-After seconds",
        },
        504: {"model": Error, "description": "the request deadline has passed"},
    },
    "openapi_extra": describe_body(
        PredictRequest, examples=_EXAMPLES, also={kind: {"schema": _BYTES} for kind in BINARY}
    ),
}

# See `direct`.
asking = APIRouter(
    prefix="/v1/models", tags=["models"], responses=ERRORS, dependencies=[needs("predict")]
)
router = APIRouter(prefix="/v1/models", tags=["models"], responses=ERRORS)


class _Part(StringConvertor):
    """A part of a path that is no method of TensorFlow Serving's, so that those are other pages."""

    regex = "[^/]+" + "".join(
        f"(?<!:{method})" for method in ("predict", "classify", "regress", "explain")
    )


register_url_convertor("part", _Part())


@router.get("", response_model=ModelList)
async def list_models(request: Request) -> ModelList:
    """All models and the state of their versions."""
    return models.model_list(state_of(request).repository)


@router.get("/{name:part}", response_model=ModelDetails)
async def describe_model(request: Request, name: Name) -> ModelDetails:
    """Inputs, outputs, sites, plan and verification of the newest version that can answer."""
    shared = state_of(request)
    return models.model_details(shared.repository, shared.device, name)


@router.get("/{name}/versions/{version:part}", response_model=ModelDetails)
async def describe_version(request: Request, name: Name, version: Number) -> ModelDetails:
    """The same, of one version."""
    shared = state_of(request)
    return models.model_details(shared.repository, shared.device, name, version)


@router.get("/{name}/metadata", response_model=ModelMetadata)
async def metadata(request: Request, name: Name) -> ModelMetadata:
    """The signature of the version that answers, in the form of TensorFlow Serving."""
    return models.model_metadata(state_of(request).repository, name)


@router.get("/{name}/versions/{version}/metadata", response_model=ModelMetadata)
async def version_metadata(request: Request, name: Name, version: Number) -> ModelMetadata:
    """The same, of one version."""
    return models.model_metadata(state_of(request).repository, name, version)


@asking.post("/{name}:predict", **_PREDICT)
async def predict(request: Request, name: Name) -> Response:
    """Mean and variance over stochastic passes, by the newest version that can answer.

    A body of NumPy's .npy or .npz, or of raw bytes, takes its options from the query.
    """
    return await _predict(request, name, None)


@asking.post("/{name}/versions/{version}:predict", **_PREDICT)
async def predict_version(request: Request, name: Name, version: Number) -> Response:
    """The same, by one version."""
    return await _predict(request, name, version)


async def _predict(request: Request, name: str, version: int | None) -> Response:
    content = await read_body(request, BINARY)
    plane, context = state_of(request).plane, context_of(request)
    predictor = plane.find(name, version, context)
    kind, query = content_type(request, BINARY), request.query_params
    asked = await offload(context, len(content), codec.decode, predictor, kind, query, content)
    del content
    context.limit(asked.timeout)
    question = Question(plane, predictor, asked, context)
    wanted = preferred(request.headers.get("accept", ""), ANSWERED, default=JSON)
    if wanted in FORMS:
        return await respond(request, wanted, question.events())
    body, extra = await (question.npz() if wanted == NPZ else question.json())
    context.require_time()
    return Response(body, media_type=wanted, headers=extra)
