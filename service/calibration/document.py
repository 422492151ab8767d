"""The document `calibration.json` beside a model file: its fields, and how it is parsed.

`mcdropout calibrate` writes it; the server and `load_model` apply it. It is no part of the model
file, which stays as it was verified. `service.graph.beside` finds and reads it.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from service.core.calibration import (
    Calibration,
    ConformalInterval,
    ConformalSet,
    IntervalMethod,
    Selection,
    SetMethod,
)
from service.errors import ArtifactError, shown
from service.manifest import DataReference, Precision, Task
from service.protocol.options import Masks, Sampling

CALIBRATION_FILE = "calibration.json"

Sha256 = Annotated[str, StringConstraints(pattern="[0-9a-f]{64}")]
#: A number that is neither infinite nor NaN, which JSON does not have.
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
#: A probability that can be neither 0 nor 1.
Level = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelReference(_Frozen):
    """The model that was calibrated; the calibration holds for no other."""

    sha256: Sha256 = Field(description="of its files (see `service.graph.beside.model_sha256`)")
    task: Task
    outputs: tuple[str, ...]


class SamplingReference(_Frozen):
    """How the model was sampled. Another dropout rate, for example, is another distribution."""

    passes: Annotated[int, Field(ge=2)]
    rate_scale: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    masks: Masks = "shared"
    sampling: Sampling = "independent"
    sites: tuple[str, ...] | None = Field(default=None, description="active ones; null: all")
    seed: Annotated[int, Field(ge=0)]


class SetSpec(_Frozen):
    """A rule for prediction sets."""

    method: SetMethod
    coverage: Level
    threshold: Number = Field(description="a class is in the set if its score is at most this")

    @property
    def rule(self) -> ConformalSet:
        """The same for the measure."""
        return ConformalSet(self.method, self.coverage, self.threshold)


class IntervalSpec(_Frozen):
    """A rule for prediction intervals."""

    method: IntervalMethod
    coverage: Level
    threshold: Number | tuple[Number, Number] = Field(
        description="multiple of the scale by which the ends move outwards; or of the lower and "
        "of the upper end"
    )

    @property
    def rule(self) -> ConformalInterval:
        """The same for the measure."""
        both = self.threshold if isinstance(self.threshold, tuple) else (self.threshold,) * 2
        return ConformalInterval(self.method, self.coverage, *both)


class SelectionSpec(_Frozen):
    """Which answers are accepted."""

    measure: str = Field(description="as in a request")
    threshold: Number = Field(description="itself is accepted")
    keep: Literal["at_most", "at_least"] = Field(
        description="whether values up to the threshold are accepted, or values from it on"
    )
    target_risk: Level | None = Field(
        default=None,
        description="maximum share of errors among accepted answers; null: the coverage was chosen",
    )
    error_tolerance: Positive | None = Field(
        default=None,
        description="of a regression with a target risk: an answer is wrong if it is off by more",
    )
    coverage: Share = Field(description="share of the calibration's rows that are accepted")
    confidence: Level | None = Field(default=None, description="of the guarantee")
    guarantee: str = Field(description="what holds of the accepted answers, in words")

    @property
    def rule(self) -> Selection:
        """The same for the measures."""
        return Selection(self.measure, self.threshold, self.keep == "at_most")


class Histogram(_Frozen):
    """The values of a measure over the calibration's rows."""

    edges: Annotated[tuple[Number, ...], Field(min_length=1)] = Field(
        description="upper ends of the bins, ascending; the last bin has none"
    )
    counts: tuple[Count, ...] = Field(description="values above the edge before, up to the own one")

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if any(low >= high for low, high in pairwise(self.edges)):
            raise ValueError("edges must ascend")
        if len(self.counts) != len(self.edges) + 1:
            raise ValueError(
                f"there are {len(self.counts)} counts for {len(self.edges)} edges; there is one "
                "more than edges"
            )
        if not any(self.counts):
            raise ValueError("counts are all 0")
        return self


class Metrics(_Frozen):
    """Metrics on the calibration's rows, name to number, without and with the calibration."""

    before: Mapping[str, Number] = {}
    after: Mapping[str, Number] = {}


class CalibrationDocument(_Frozen):
    """All that was fitted to a model, what it was fitted to, and how."""

    format_version: Literal[1] = 1
    model: ModelReference
    output: str = Field(description="the output that is calibrated")
    data: DataReference
    created: AwareDatetime
    tools: Mapping[str, str] = Field(description="versions of what made it")
    sampling: SamplingReference
    temperature: Positive | None = Field(
        default=None, description="T of class probabilities, p^(1/T), normalized"
    )
    noise_precision: Precision | None = Field(
        default=None, description="inverse variance of the noise of a regression's targets"
    )
    sets: tuple[SetSpec, ...] = Field(default=(), description="the first one is the default")
    intervals: tuple[IntervalSpec, ...] = Field(default=(), description="likewise")
    selection: SelectionSpec | None = None
    reference: Mapping[str, Histogram] = Field(
        default={}, description="by measure; what drift is measured from"
    )
    metrics: Metrics = Metrics()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.output not in self.model.outputs:
            raise ValueError(
                f"output {self.output!r} is none of model.outputs, {[*self.model.outputs]}"
            )
        for field, rules in (("sets", self.sets), ("intervals", self.intervals)):
            known = [f"{rule.method} {rule.coverage:g}" for rule in rules]
            if len(set(known)) < len(known):
                raise ValueError(f"{field} have a method and coverage twice: {known}")
        return self

    @property
    def facts(self) -> Calibration:
        """What measures depend on."""
        return Calibration(
            self.temperature,
            tuple(one.rule for one in self.sets),
            tuple(one.rule for one in self.intervals),
            None if self.selection is None else self.selection.rule,
        )

    def summary(self, by_default: bool) -> "CalibrationSummary":
        """What users of the model should know; see `CalibrationSummary.by_default`."""
        own = {name: getattr(self, name) for name in CalibrationSummary.OWN}
        how, data = self.sampling, self.data
        return CalibrationSummary(
            **own,
            passes=how.passes,
            rate_scale=how.rate_scale,
            sites=how.sites,
            data=data.name,
            rows=data.rows,
            by_default=by_default,
        )

    def as_json(self) -> str:
        """The text of the file."""
        return self.model_dump_json(indent=2) + "\n"


class CalibrationSummary(_Frozen):
    """The calibration that is applied to the answers of a model; what is null may be left out."""

    #: Fields that are those of the document.
    OWN: ClassVar[tuple[str, ...]] = (
        *("output", "created", "temperature", "noise_precision", "sets", "intervals", "selection"),
        "metrics",
    )

    output: str = Field(description="the output that is calibrated")
    data: str = Field(description="name of the data that it was fitted to")
    rows: int = Field(description="their number")
    created: AwareDatetime
    by_default: bool = Field(description="whether it applies to requests that do not say")
    passes: int = Field(description="of requests that give none: those it was fitted with")
    rate_scale: float = Field(description="of requests that give none")
    sites: tuple[str, ...] | None = Field(default=None, description="likewise; null: all")
    temperature: float | None = None
    noise_precision: float | None = None
    sets: tuple[SetSpec, ...]
    intervals: tuple[IntervalSpec, ...]
    selection: SelectionSpec | None = None
    metrics: Metrics


def calibration_of(path: Path) -> Path:
    """Where the calibration of a model file is looked for."""
    return path.with_name(CALIBRATION_FILE)


def parse_calibration(text: str | bytes, where: str) -> CalibrationDocument:
    """Read a document from JSON; `where` names the file in errors.

    Raises:
        ArtifactError: it is malformed; naming the field.
    """
    try:
        return CalibrationDocument.model_validate_json(text)
    except ValidationError as error:
        raise ArtifactError(f"{where}: {_first_fault(error)}") from error


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"])) or "the document"
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "literal_error":  # such as a format that a later version writes
        said += f", not {shown(first['input'])}"
    return f"{field}: {said}."
