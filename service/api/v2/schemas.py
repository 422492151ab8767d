"""Wire schemas of the protocol."""

from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    StrictBool,
    StrictInt,
    model_validator,
)

from service.api.http.known import Items, Known
from service.api.v2.parameters import InferParameters
from service.calibration.document import CalibrationSummary
from service.protocol.datatypes import BY_NAME

EXAMPLE = (
    'an object such as {"inputs": [{"name": "year", "shape": [1, 1], "datatype": "FP32", '
    '"data": [1985.0]}], "parameters": {"passes": 100}}'
)


def _known_datatype(datatype: str) -> str:
    if datatype not in BY_NAME:
        raise ValueError(f"the supported datatypes are {', '.join(BY_NAME)}")
    return datatype


Datatype = Annotated[
    str, AfterValidator(_known_datatype), Field(json_schema_extra={"enum": list(BY_NAME)})
]
#: NumPy allows at most 64 axes; sizes are limited to 64 bits.
Shape = Annotated[
    Items[Annotated[StrictInt, Field(ge=1, le=(1 << 63) - 1)]], Field(min_length=1, max_length=32)
]


class InputParameters(Known):
    """Parameters of one input tensor."""

    IGNORED: ClassVar[frozenset[str]] = frozenset({"content_type"})  # MLServer's clients send it

    binary_data_size: Annotated[StrictInt, Field(ge=0)] | None = Field(
        default=None, description="number of the tensor's bytes behind the JSON, instead of `data`"
    )


class InferInput(Known):
    """One input tensor: all rows."""

    name: str
    shape: Shape = Field(description="axis 0 is the rows")
    datatype: Datatype
    parameters: InputParameters | None = None
    data: list[Any] | None = Field(
        default=None,
        description="numbers, or strings for BYTES; flat in row-major order, or nested",
    )


class OutputParameters(Known):
    """Parameters of one output tensor."""

    binary_data: StrictBool | None = Field(
        default=None, description="whether the output is returned as bytes behind the JSON"
    )

    @model_validator(mode="before")
    @classmethod
    def _no_classification(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("classification"):
            raise ValueError(
                "'classification' is not supported. Request 'mean' and sort it; the labels are at "
                "GET /v1/models/{name}"
            )
        return value


class RequestedOutput(Known):
    """One requested tensor of the answer."""

    name: str = Field(description="one of the outputs that the model's metadata list")
    parameters: OutputParameters | None = None


class InferRequest(Known):
    """Rows and how to sample them."""

    #: Some clients send these, although the path has them.
    IGNORED: ClassVar[frozenset[str]] = frozenset({"model_name", "model_version"})
    ELSEWHERE: ClassVar[frozenset[str]] = frozenset(InferParameters.model_fields)

    id: str | None = Field(default=None, description="returned in the answer")
    parameters: InferParameters | None = None
    inputs: Items[InferInput] = Field(min_length=1)
    outputs: Items[RequestedOutput] | None = Field(
        default=None,
        description="default: mean, variance and measures of every output of the model; with "
        "`training` false every output itself",
    )


class InferOutput(BaseModel):
    """One tensor of the answer."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, int] | None = Field(
        default=None, description="`binary_data_size`, if its bytes follow the JSON"
    )
    data: list[Any] | None = Field(default=None, description="flat, in row-major order")


class InferResponse(BaseModel):
    """The requested tensors, in their order."""

    model_name: str
    model_version: str
    id: str | None = None
    parameters: dict[str, int] | None = Field(
        default=None,
        description="number of passes, and the random seed, which reproduces the answer",
    )
    outputs: list[InferOutput]


class Live(BaseModel):
    """The process answers."""

    live: bool


class Ready(BaseModel):
    """Every model can answer."""

    ready: bool


class ModelReady(BaseModel):
    """A model can answer."""

    name: str
    ready: bool


class ServerMetadata(BaseModel):
    """Name, version and extensions of this server."""

    name: str
    version: str
    extensions: list[str]


class MeasureParameters(BaseModel):
    """What a measure is."""

    unit: str = Field(description='"output" is the unit of the model\'s output')
    description: str
    arguments: dict[str, Any] = Field(description="with their defaults; they follow its name")


class TensorMetadata(BaseModel):
    """One tensor of a model."""

    name: str
    datatype: str
    shape: list[int] = Field(description="axis 0 is the rows; -1 is any size")
    parameters: MeasureParameters | None = Field(default=None, description="of a measure")


class ModelMetadata(BaseModel):
    """Inputs of a model, and the outputs that may be requested."""

    name: str
    versions: list[str] = Field(description="versions that can answer, the newest first")
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    calibration: CalibrationSummary | None = Field(
        default=None, description="what is applied to answers that are calibrated"
    )


class ConfigTensor(BaseModel):
    """One tensor, in the form of Triton's configuration."""

    name: str
    data_type: str
    dims: list[int]


class ModelConfig(BaseModel):
    """The part of Triton's model configuration that is meaningful here."""

    name: str
    platform: str
    backend: str
    max_batch_size: int = Field(description="0: axis 0 of `dims` is the rows, of any number")
    input: list[ConfigTensor]
    output: list[ConfigTensor]


class IndexRequest(Known):
    """A request for the index."""

    ready: StrictBool = Field(default=False, description="only versions that can answer")


class IndexEntry(BaseModel):
    """One version of a model."""

    name: str
    version: str
    state: str = Field(description="READY, LOADING or UNAVAILABLE")
    reason: str


class ControlParameters(Known):
    """How to load or unload a model."""

    unload_dependents: StrictBool = Field(
        default=False, description="no effect: no model depends on another one"
    )

    @model_validator(mode="before")
    @classmethod
    def _no_other_files(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for name in value:
                if name == "config" or name.startswith("file:"):
                    raise ValueError(
                        f"{name[:40]!r} is not supported: a model is loaded as it is in the "
                        "server's folder. Leave it out"
                    )
        return value


class ControlRequest(Known):
    """A request that loads or unloads a model."""

    parameters: ControlParameters | None = None
