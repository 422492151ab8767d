"""Metadata of the server and its models."""

from importlib.metadata import version

from service.api.v2.outputs import offers
from service.api.v2.schemas import (
    ConfigTensor,
    IndexEntry,
    MeasureParameters,
    ModelConfig,
    ModelMetadata,
    ServerMetadata,
    TensorMetadata,
)
from service.core.measures import Measure
from service.inference.predictor import Predictor
from service.manifest import Manifest, Shape
from service.protocol.datatypes import BY_DTYPE, BY_NAME
from service.repository.registry import Repository, State

#: Triton's names of the supported extensions.
EXTENSIONS = ["binary_tensor_data", "model_configuration", "model_repository", "parameters"]
PLATFORM, BACKEND = "onnxruntime_onnx", "onnxruntime"

#: States in the repository extension. In all other states a version cannot answer.
_STATES = {State.READY: "READY", State.LOADING: "LOADING"}


def server_metadata() -> ServerMetadata:
    """Name, version and extensions of this server."""
    return ServerMetadata(name="mcdropout", version=version("mcdropout"), extensions=EXTENSIONS)


def model_metadata(repository: Repository, name: str, number: int | None = None) -> ModelMetadata:
    """Inputs and outputs of a version that can answer.

    Raises:
        ModelNotFoundError: there is no such model or version.
        ModelUnavailableError: it is not ready; with the reason.
    """
    _, predictor = repository.predictor(name, number)
    ready = [v for v in repository.versions(name) if v.state is State.READY]
    return ModelMetadata(
        name=name,
        versions=[v.number_text for v in ready],
        platform=PLATFORM,
        inputs=_inputs(predictor.manifest),
        outputs=_outputs(predictor),
        calibration=predictor.terms.summary,
    )


def model_config(repository: Repository, name: str, number: int | None = None) -> ModelConfig:
    """The same in the form of Triton's model configuration.

    Raises:
        ModelNotFoundError, ModelUnavailableError: see `model_metadata`.
    """
    metadata = model_metadata(repository, name, number)
    return ModelConfig(
        name=name,
        platform=PLATFORM,
        backend=BACKEND,
        max_batch_size=0,
        input=[_config(tensor) for tensor in metadata.inputs],
        output=[_config(tensor) for tensor in metadata.outputs],
    )


def index(repository: Repository, only_ready: bool) -> list[IndexEntry]:
    """Every version of every model, or those that can answer."""
    return [
        IndexEntry(
            name=name,
            version=v.number_text,
            state=_STATES.get(v.state, "UNAVAILABLE"),
            reason=repository.without_folder(v.reason),
        )
        for name, versions in repository.models().items()
        for v in versions
        if v.state is State.READY or not only_ready
    ]


def _inputs(manifest: Manifest) -> list[TensorMetadata]:
    return [
        TensorMetadata(name=s.name, datatype=BY_DTYPE[s.dtype].name, shape=_shape(s.shape))
        for s in manifest.inputs
    ]


def _outputs(predictor: Predictor) -> list[TensorMetadata]:
    return [
        TensorMetadata(
            name=name,
            datatype=offer.datatype,
            shape=_shape(offer.shape),
            parameters=None if offer.measure is None else _about(offer.measure.measure),
        )
        for name, offer in offers(predictor).items()
    ]


def _about(measure: Measure) -> MeasureParameters:
    return MeasureParameters(
        unit=measure.unit, description=measure.description(), arguments=measure.arguments()
    )


def _shape(shape: Shape) -> list[int]:
    return [-1 if size is None else size for size in shape]


def _config(tensor: TensorMetadata) -> ConfigTensor:
    kind = BY_NAME[tensor.datatype].triton
    return ConfigTensor(name=tensor.name, data_type=kind, dims=tensor.shape)
