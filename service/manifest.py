"""The manifest: what an artifact says about itself.

It is the one contract between the exporter and the server, kept as JSON in the
ONNX file's metadata under `METADATA_KEY`, so that a model is always one file.
"""

from collections.abc import Sequence
from math import prod
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.errors import ArtifactError

METADATA_KEY = "mcdropout.manifest"
TRAINING_INPUT = "training"

Task = Literal[
    "classification",
    "multilabel_classification",
    "regression",
    "heteroscedastic_regression",
    "other",
]
Link = Literal["identity", "softmax", "sigmoid"]
NoiseForm = Literal["variance", "log_variance", "scale", "log_scale"]
Shape = tuple[int | None, ...]
#: The default number of passes of a request.
Passes = Annotated[int, Field(ge=2, le=1_000_000)]
#: The inverse of a variance.
Precision = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TensorSpec(_Frozen):
    """A named tensor. Axis 0 is the batch; None marks a dynamic axis."""

    name: str
    dtype: str = Field(description='numpy\'s name of the element type; "string" is text')
    shape: Shape

    @property
    def row_elements(self) -> int:
        """Number of elements of a row; a dynamic axis counts as one."""
        return prod(size or 1 for size in self.shape[1:])


class InputSpec(TensorSpec):
    """An input of the model."""

    example: Any = Field(default=None, description="one row, as nested lists")


class OutputSpec(TensorSpec):
    """An output of the model."""

    stochastic: bool = Field(description="whether dropout affects it; if not, its variance is 0")
    link: Link = Field(
        default="identity",
        description="applied to the output of every pass before anything is computed from it: "
        "softmax or sigmoid for logits",
    )


class NoiseSpec(_Frozen):
    """Where a heteroscedastic regression gives the mean and the noise of its targets.

    With one output for both, the first half of its last axis is the mean and the second half the
    noise.
    """

    mean: str = Field(description="name of the output with the mean")
    noise: str = Field(description="name of the output with the noise; may be the same")
    form: NoiseForm = Field(description="what the noise output is of the targets' noise")


class SiteSpec(_Frozen):
    """A place that draws random numbers: one node of the graph.

    What it draws, and by which ONNX operator, says the distribution of its `kind` in
    `service.core.distributions`. A dropout is a "spatial_dropout" where a draw is shared
    along some axis.
    """

    name: str = Field(description="name of the ONNX node, unique in the artifact")
    layer: str = Field(description="path of the Keras layer inside the model")
    kind: str = Field(description="what it draws: a dropout mask, or uniform or normal numbers")
    rate: float | None = Field(ge=0, lt=1, description="dropout rate; null for other draws")
    trained_rate: bool = Field(
        default=False,
        description="the rate is computed from variables of the model: its value at export",
    )
    shape: Shape = Field(
        description="shape of the draw for a whole call; null marks a dynamic axis"
    )
    batch_axis: int | None = Field(
        # Files from before this field have the batch on axis 0, or 1 there for all rows.
        default_factory=lambda site: 0 if site["shape"][:1] == (None,) else None,
        description="axis of the batch; null: one draw per pass, shared by all rows",
    )
    row_elements: int | None = Field(
        default=1,
        description="elements that each row has on the batch's axis, one row's after the other's; "
        "null: that depends on the input",
    )
    dtype: str
    always_on: bool = Field(
        default=False,
        description="active in Keras even with training=False; `training` switches it",
    )


def rows_in(two: Sequence[int], three: Sequence[int]) -> tuple[int | None, int] | None:
    """How the elements of a tensor belong to rows, from its shapes for two and three rows.

    Returns:
        The axis of the batch and the number of elements of it per row; the axis is None if the
        shape does not depend on the rows. None if this cannot be determined.
    """
    if len(two) != len(three):
        return None
    grows = [axis for axis, (a, b) in enumerate(zip(two, three, strict=True)) if a != b]
    if not grows:
        return None, 1
    axis, each = grows[0], two[grows[0]] // 2
    in_step = len(grows) == 1 and (two[axis], three[axis]) == (2 * each, 3 * each)
    return (axis, each) if in_step and (axis == 0 or each == 1) else None


def is_dropout(site: SiteSpec) -> bool:
    """Whether the site multiplies by a mask, and does not merely lend its numbers."""
    return site.rate is not None


class DataReference(_Frozen):
    """A data set, without the data (see `service.calibration.fingerprint`)."""

    name: str
    sha256: Annotated[str, Field(pattern="[0-9a-f]{64}")] = Field(
        description="of the hashes of all rows, in ascending order"
    )
    rows: Annotated[int, Field(ge=1)]
    smallest: tuple[str, ...] = Field(
        default=(), description="the smallest hashes of single rows, which show an overlap"
    )


class Source(_Frozen):
    """The Keras model the artifact was made from."""

    kind: Literal["file", "memory"]
    name: str
    sha256: str


class Checks(_Frozen):
    """What the exporter measured on the finished file."""

    rows: int = Field(description="number of rows on which the outputs were compared")
    nan_rows: int = Field(
        default=0,
        description="of these, rows with NaN or infinity both in Keras and in the artifact",
    )
    off_difference: float = Field(
        description="max |artifact - Keras| of a row, relative to its max |Keras|; of the row that "
        "came nearest to its tolerance"
    )
    off_tolerance: float = Field(
        description="what was allowed of that row, by the error of Keras' own arithmetic"
    )
    frozen_difference: float = Field(
        description="as off_difference, with training=true and every rate set to 0: "
        "what normalization layers would move (noise at its middle)"
    )
    frozen_tolerance: float | None = Field(
        default=None, description="what was allowed; null of older exports: off_tolerance"
    )
    drop_rates: dict[str, float] = Field(description="observed dropout rate, by dropout site")
    noise: dict[str, tuple[float, float]] = Field(
        description="observed mean and standard deviation, by uniform or normal site"
    )
    spread: dict[str, float] = Field(
        description="largest standard deviation over repeated rows, by output"
    )


class Manifest(_Frozen):
    """The description of an artifact."""

    format_version: Literal[1] = 1
    task: Task
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    labels: tuple[str, ...] | None = None
    noise: NoiseSpec | None = Field(
        default=None, description="of a heteroscedastic regression; null: not known"
    )
    noise_precision: Precision | None = Field(
        default=None,
        description="inverse variance of the noise of a regression's targets (Gal's τ), in the "
        "inverse squared unit of the output",
    )
    measures: tuple[str, ...] = Field(
        default=(), description="measures of a request that names none, as in requests"
    )
    passes: Passes = Field(default=100, description="default number of passes of a request")
    training_data: DataReference | None = Field(
        default=None, description="the rows that the model was trained with; null: not known"
    )
    sites: tuple[SiteSpec, ...]
    kept_off: tuple[str, ...] = Field(
        default=(),
        description="layers that draw nothing, as in Keras' model(x, training=True): in all or "
        "some of their calls the model gives them training=False, or no output depends on them",
    )
    same_seed: tuple[tuple[str, ...], ...] = Field(
        default=(),
        description="names of the sites that Keras draws alike because they have one seed, or of "
        "one site that it draws alike in every call; here all are independent",
    )
    tools: dict[str, str] = Field(description="versions of the tools that made the artifact")
    source: Source
    checks: Checks | None = None


def parse_manifest(text: str | None, where: str) -> Manifest:
    """Read a manifest from its JSON `text`; `where` names the file in errors.

    Raises:
        ArtifactError: the text is missing, of another version, or malformed.
    """
    if text is None:
        raise ArtifactError(
            f"{where} has no {METADATA_KEY!r} in its metadata, so it was not made by this "
            "project's exporter. Export the Keras model with `mcdropout export`."
        )
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the text"
        raise ArtifactError(
            f"{where} has a manifest that cannot be read: {place}: {first['msg']}. "
            "Export the model again with this version."
        ) from error
