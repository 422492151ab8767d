"""Wire schemas of the native protocol, in TensorFlow Serving's form."""

from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    Field,
    StrictBool,
    StrictFloat,
    create_model,
    model_validator,
)

from service.api.http.known import Known
from service.api.http.nested import BY_DTYPE, Members, Numbers
from service.api.http.option_fields import json_fields, refuse_options_without_passes
from service.calibration.document import CalibrationSummary
from service.core.measures import MEASURES
from service.core.measures.base import Measure
from service.core.measures.prediction_set import PredictionSet
from service.inference.options import read_options
from service.inference.planner import PlanReport
from service.inference.verification import Verification
from service.manifest import InputSpec, NoiseSpec, OutputSpec, Shape, SiteSpec, Task
from service.protocol.options import OPTIONS, Options
from service.repository.registry import State


class PredictBody(Known):
    """Rows and how to sample them. Give exactly one of `instances` and `inputs`."""

    instances: list[Any] | None = Field(
        default=None, description="rows; with several inputs, objects of input name to row"
    )
    inputs: Any = Field(
        default=None, description="columns: object of input name to rows, or the only input's rows"
    )
    training: StrictBool = Field(
        default=True,
        description="false: one pass with dropout off, which gives the output of the Keras model",
    )
    timeout: StrictFloat | None = Field(
        default=None, description="request deadline in seconds; if it passes, the answer is 504"
    )
    signature_name: Literal["serving_default"] | None = Field(
        default=None, description="sent by TensorFlow Serving's clients; this is the only signature"
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.instances is None) == (self.inputs is None):
            raise ValueError("give exactly one of 'instances' (rows) and 'inputs' (columns)")
        refuse_options_without_passes(self, self.training)
        return self

    def options(self) -> Options:
        """How to sample."""
        return read_options(**{name: getattr(self, name) for name in OPTIONS})


_OPTIONS: Any = json_fields()
PredictRequest = create_model(
    "PredictRequest", __base__=PredictBody, __doc__=PredictBody.__doc__, **_OPTIONS
)


class _Moments(BaseModel):
    """One row's answer for one output, or, of `inputs`, all rows'; arrays nest as they do."""

    mean: Numbers = Field(description="mean over passes")
    variance: Numbers = Field(description="unbiased sample variance over passes")


def _never_null(schema: dict[str, Any]) -> None:
    """A measure that was not requested is left out."""
    del schema["default"]
    schema |= schema.pop("anyOf")[0]


def _measured(measure: type[Measure]) -> Any:
    """The field of a measure, which is there only if requested."""
    text = f"{measure.description()} Unit: {measure.unit}"
    kind: Any = Members if measure is PredictionSet else BY_DTYPE[measure.dtype]
    return kind | None, Field(default=None, description=text, json_schema_extra=_never_null)


_OF_MEASURES = {name: _measured(measure) for name, measure in MEASURES.items()}
Predicted: Any = create_model(
    "Predicted", __base__=_Moments, __doc__=_Moments.__doc__, **_OF_MEASURES
)


class Deterministic(BaseModel):
    """One row's answer for one output with `training` false."""

    output: Numbers = Field(description="the model's output with dropout off")


Answer: Any = Predicted | Deterministic | dict[str, Predicted] | dict[str, Deterministic]


class PredictResponse(BaseModel):
    """`predictions` of `instances`, one for each; `outputs` of `inputs`, all rows in one.

    With several outputs, each maps output name to its own.
    """

    model: str
    version: str
    passes: int | None = Field(
        default=None, description="number of passes; with a stopping rule, of the row with the most"
    )
    seed: int | None = Field(
        default=None, description="random seed; the same seed reproduces the answer"
    )
    row_passes: list[int] | None = Field(
        default=None, description="with a stopping rule, the number of passes of each row"
    )
    row_settled: list[bool] | None = Field(
        default=None,
        description="whether each row met the stopping rule; if not, it had the maximum of passes",
    )
    final: bool | None = Field(
        default=None, description="of an event of a stream: whether it is the answer"
    )
    predictions: list[Answer] | None = None
    outputs: Answer | None = None


class VersionStatus(BaseModel):
    """One version of a model, and whether it can answer."""

    version: str
    state: State
    reason: str = Field(description="the reason of a failure; else empty")


class ServingStatus(BaseModel):
    """The error of a version, in TensorFlow Serving's form."""

    error_code: Literal["OK", "UNAVAILABLE", "UNKNOWN"]
    error_message: str


class ServingVersion(BaseModel):
    """A version, in TensorFlow Serving's form."""

    version: str
    state: Literal["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]
    status: ServingStatus


class ModelStatus(BaseModel):
    """A model and its versions, the newest first."""

    name: str
    versions: list[VersionStatus]


class ModelList(BaseModel):
    """All models of the server."""

    models: list[ModelStatus]


class DeviceStatus(BaseModel):
    """What runs the models."""

    asked: str = Field(description="the setting")
    got: str
    why: str


class MeasureDetails(BaseModel):
    """A measure that a model offers."""

    name: str
    description: str
    unit: str = Field(description='"output" is the unit of the model\'s output')
    dtype: Literal["float64", "int64", "bool", "string"]
    arguments: dict[str, Any] = Field(description="with their defaults")
    shapes: dict[str, Shape] = Field(
        description="output to shape; axis 0 is the rows, null marks a dynamic axis"
    )


class ModelDetails(VersionStatus):
    """All details of one version; null if it is not ready."""

    name: str
    versions: list[VersionStatus]
    model_version_status: list[ServingVersion] = Field(
        description="the same, in the form of TensorFlow Serving"
    )
    task: Task | None = None
    inputs: list[InputSpec] | None = None
    outputs: list[OutputSpec] | None = None
    labels: list[str] | None = None
    noise: NoiseSpec | None = Field(
        default=None, description="where a heteroscedastic regression gives the noise"
    )
    noise_precision: float | None = Field(
        default=None, description="inverse variance of the noise of a regression's targets"
    )
    passes: int | None = Field(default=None, description="default number of passes")
    measures: list[MeasureDetails] | None = None
    default_measures: list[str] | None = Field(
        default=None, description="measures of a request that names none"
    )
    sites: list[SiteSpec] | None = None
    calibration: CalibrationSummary | None = Field(
        default=None, description="what is applied to answers that are calibrated"
    )
    calibration_ignored: str | None = Field(
        default=None, description="why there is a calibration that is not applied"
    )
    providers: list[str] | None = Field(
        default=None, description="the device and execution provider of the model"
    )
    device: DeviceStatus | None = None
    plan: PlanReport | None = Field(default=None, description="how the model is sampled")
    proof: Verification | None = Field(
        default=None, description="results of load-time verification"
    )


class ModelMetadata(BaseModel):
    """A version's signature, in TensorFlow Serving's form."""

    model_spec: dict[str, str]
    metadata: dict[str, Any]
