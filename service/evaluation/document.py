"""The document of an evaluation: everything that a table, a report or another program reads.

Plots are drawn from it alone: it has the points of every curve, not the rows of the data.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from service.errors import InputError
from service.manifest import Task
from service.protocol.options import Masks, Sampling

#: What is better: lower or higher values, or those near the nominal one.
Better = Literal["lower", "higher", "nominal"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelInfo(_Frozen):
    """The model that was evaluated."""

    name: str = Field(description="its file")
    sha256: str = Field(description="of its files")
    task: Task
    output: str = Field(description="the output whose targets were given")
    labels: tuple[str, ...] | None = Field(default=None, description="of the classes")
    noise: Literal["none", "constant", "predicted"] = Field(
        default="none",
        description="whether the noise of a regression's targets is known. If not, intervals, "
        "likelihood and CRPS are those of the mean alone",
    )


class DataInfo(_Frozen):
    """Rows."""

    name: str
    rows: int = Field(ge=1)
    sha256: str | None = Field(default=None, description="of all rows, in any order")


class Estimate(_Frozen):
    """A number, and its bootstrap confidence interval."""

    value: float | None = Field(description="null: not defined, for example without any error")
    low: float | None = Field(default=None, description="null: not defined in enough resamples")
    high: float | None = None

    def excludes(self, number: float) -> bool:
        """Whether there is an interval, and the number is outside of it."""
        if self.low is None or self.high is None:
            return False
        return not self.low <= number <= self.high


class Setting(_Frozen):
    """How the model was run."""

    name: str = Field(description="for people, and unique in the document")
    kind: Literal["passes", "deterministic", "calibrated"]
    passes: int | None = Field(default=None, description="null with dropout off")
    rate_scale: float | None = None
    masks: Masks | None = None
    sampling: Sampling | None = None


class MetricInfo(_Frozen):
    """What a metric is."""

    title: str = Field(description="its name for people")
    unit: str = Field(description='"1", "nats", "output", or "risk": that of the risk')
    better: Better
    description: str = Field(description="one sentence")


class Bin(_Frozen):
    """Rows of similar confidence."""

    low: float = Field(description="lower end of the confidence")
    high: float
    rows: int
    confidence: float | None = Field(description="mean; null without rows")
    accuracy: Estimate = Field(description="share of right predictions")


class Reliability(_Frozen):
    """Reliability diagram of a classification."""

    equal_width: tuple[Bin, ...]
    equal_mass: tuple[Bin, ...] = Field(description="bins of equal numbers of rows")


class Curve(_Frozen):
    """Points of a curve, in order; long ones are thinned out."""

    x: tuple[float, ...]
    y: tuple[float, ...]


class Histogram(_Frozen):
    """The values of a measure in groups of rows."""

    edges: tuple[float, ...] = Field(description="one more than bins, ascending")
    counts: Mapping[str, tuple[int, ...]] = Field(
        description='by group: "right" and "wrong" predictions, or "in" and "out" of distribution; '
        'of a regression "all"'
    )


class MeasureResult(_Frozen):
    """What a measure says of errors, and of rows out of distribution."""

    certain: Literal["low", "high"] = Field(description="which values certain predictions have")
    unit: str
    metrics: Mapping[str, Estimate] = Field(
        description="aurc, excess_aurc; of a classification auroc and aupr of wrong predictions; "
        "with other rows ood_auroc, ood_aupr, ood_fpr95"
    )
    risk_coverage: Curve = Field(
        description="x: share of rows that are accepted, from the most certain on; y: their risk, "
        "the share of wrong predictions, or of a regression the mean absolute error"
    )
    roc: Curve | None = Field(
        default=None, description="x: share of right predictions flagged; y: of wrong ones"
    )
    ood_roc: Curve | None = Field(
        default=None, description="x: share of in-distribution rows flagged; y: of others"
    )
    histogram: Histogram
    ood_histogram: Histogram | None = None


class Interval(_Frozen):
    """Intervals of one method and level."""

    method: str = Field(
        default="central",
        description="central intervals of the predictive distribution, or that of a calibration's "
        "conformal ones",
    )
    level: float = Field(description="nominal probability")
    coverage: Estimate = Field(
        description="share of targets inside (PICP); of conformal intervals, of rows with all "
        "targets inside"
    )
    width: Estimate = Field(description="mean, in the unit of the output (MPIW)")
    score: Estimate = Field(description="mean interval score, in the unit of the output")

    @property
    def is_conformal(self) -> bool:
        """Whether a calibration makes them."""
        return self.method != "central"


class Group(_Frozen):
    """Some rows."""

    name: str = Field(description="for people")
    rows: int
    coverage: Estimate = Field(description="share of their sets with the true class")


class PredictionSets(_Frozen):
    """Prediction sets of one rule of a calibration."""

    method: str
    level: float = Field(description="nominal probability")
    coverage: Estimate = Field(
        description="share of rows whose sets have the true class, of all elements"
    )
    size: Estimate = Field(description="mean number of classes")
    empty: Estimate = Field(description="share of sets without a class")
    single: Estimate = Field(description="share of sets with one class")
    by_size: tuple[Group, ...] = Field(description="by the number of classes, ascending")
    least: Group = Field(description="rows of the class that is covered least")


class Acceptance(_Frozen):
    """What the threshold of a calibration accepts."""

    measure: str = Field(description="that decides")
    expected: float = Field(description="share of the calibration's rows that are accepted")
    target_risk: float | None = Field(default=None, description="null: a share was chosen")
    confidence: float | None = Field(default=None, description="of the target risk")
    error_tolerance: float | None = Field(
        default=None, description="of a regression: a prediction is wrong if it is off by more"
    )
    share: Estimate = Field(description="of the rows that are accepted")
    loss: Literal["wrong", "absolute"] = Field(
        description="what the risk is the mean of: whether any prediction of a row is wrong, or of "
        "a regression without a tolerance the absolute error"
    )
    risk: Estimate = Field(description="of accepted rows")
    risk_of_all: Estimate = Field(description="of all rows")
    others: Estimate | None = Field(
        default=None, description="share of rows out of distribution that are accepted"
    )


class Level(_Frozen):
    """A point of the calibration curve of a regression."""

    expected: float = Field(description="a probability p")
    observed: Estimate = Field(description="share of targets below the quantile at p")


class Result(_Frozen):
    """What a setting gives."""

    setting: Setting
    metrics: Mapping[str, Estimate] = Field(
        description="by name; `Evaluation.about` describes them"
    )
    differences: Mapping[str, Estimate] = Field(
        default={},
        description="by metric, this setting's minus the main one's, from the same resamples",
    )
    measures: Mapping[str, MeasureResult] = {}
    best: Curve | None = Field(
        default=None,
        description="risk and coverage of a regression if the least errors came first",
    )
    reliability: Reliability | None = Field(default=None, description="of a classification")
    intervals: tuple[Interval, ...] = Field(default=(), description="of a regression")
    calibration: tuple[Level, ...] = Field(default=(), description="of a regression")
    sets: tuple[PredictionSets, ...] = Field(
        default=(), description="of a classification with a calibration"
    )
    acceptance: Acceptance | None = Field(
        default=None, description="of a calibration with a threshold"
    )


class After(_Frozen):
    """Metrics after a number of passes."""

    passes: int
    metrics: Mapping[str, Estimate]


class Bootstrap(_Frozen):
    """How confidence intervals were made, from metrics of resampled rows."""

    resamples: int
    confidence: float
    seed: int


class Timing(_Frozen):
    """Seconds of wall time."""

    passes: float = Field(description="running the model")
    metrics: float
    bootstrap: float
    total: float
    samples: int = Field(description="rows × passes that ran")


class Evaluation(_Frozen):
    """The uncertainty of a model, compared with targets."""

    format_version: Literal[1] = 1
    created: AwareDatetime
    tools: Mapping[str, str] = Field(description="versions of what made it")
    command: str | None = Field(default=None, description="what makes it again")
    model: ModelInfo
    data: DataInfo
    other: DataInfo | None = Field(default=None, description="rows out of distribution")
    seed: int = Field(description="of the passes")
    bootstrap: Bootstrap
    about: Mapping[str, MetricInfo] = Field(
        description="every metric by name, also those of measures"
    )
    main: str = Field(description="name of the setting that others are compared with")
    results: tuple[Result, ...] = Field(description="by setting, in order")
    passes: tuple[After, ...] = Field(
        default=(), description="metrics of the main rate scale and masks, by number of passes"
    )
    warnings: tuple[str, ...] = ()
    timing: Timing

    @property
    def calibrated(self) -> Result | None:
        """Of the setting with the model's calibration, if there is one."""
        found = (one for one in self.results if one.setting.kind == "calibrated")
        return next(found, None)

    def result(self, name: str | None = None) -> Result:
        """Of a setting, by its name; by default of the main one.

        Raises:
            KeyError: there is none of that name.
        """
        name = name or self.main
        for result in self.results:
            if result.setting.name == name:
                return result
        raise KeyError(name)

    def as_json(self) -> str:
        """The text of a file."""
        return self.model_dump_json(indent=1) + "\n"


def read_evaluation(path: Path) -> Evaluation:
    """Read the document of an evaluation.

    Raises:
        InputError: the file is not one.
    """
    try:
        return Evaluation.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(f"{path} is not the document of an evaluation: {error}") from error
