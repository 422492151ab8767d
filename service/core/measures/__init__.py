"""The registry of measures, which requests select by name in addition to mean and variance.

To add one, write its file and its test, and register it in `MEASURES`.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from service.core.measures.accept import Accept
from service.core.measures.aleatoric import Aleatoric
from service.core.measures.base import Measure, Needs
from service.core.measures.bound import BoundMeasure
from service.core.measures.calibrated import Calibrated
from service.core.measures.confidence import Confidence
from service.core.measures.deterministic import Deterministic
from service.core.measures.epistemic import Epistemic
from service.core.measures.expected_entropy import ExpectedEntropy
from service.core.measures.facts import Facts
from service.core.measures.interval import Interval
from service.core.measures.label import Label
from service.core.measures.margin import Margin
from service.core.measures.max import Max
from service.core.measures.min import Min
from service.core.measures.mutual_information import MutualInformation
from service.core.measures.of_calibration import OfCalibration
from service.core.measures.predicted_class import PredictedClass
from service.core.measures.prediction_interval import PredictionInterval
from service.core.measures.prediction_set import PredictionSet
from service.core.measures.predictive_entropy import PredictiveEntropy
from service.core.measures.predictive_interval import PredictiveInterval
from service.core.measures.quantiles import Quantiles
from service.core.measures.reason import Reason
from service.core.measures.samples import Samples
from service.core.measures.standard_error import StandardError
from service.core.measures.std import Std
from service.core.measures.total import Total
from service.core.measures.variation_ratio import VariationRatio
from service.errors import InputError, shortened
from service.protocol.options import AskedMeasure

__all__ = [
    "MEASURES",
    "OF_CALIBRATION",
    "BoundMeasure",
    "Facts",
    "Measure",
    "Needs",
    "bind",
    "measures_of",
    "read_measures",
]

MEASURES: Mapping[str, type[Measure]] = {
    measure.name: measure
    for measure in (
        # Of a classification.
        PredictedClass,
        Label,
        Confidence,
        Margin,
        PredictiveEntropy,
        ExpectedEntropy,
        MutualInformation,
        VariationRatio,
        # Of a regression.
        Epistemic,
        Aleatoric,
        Total,
        PredictiveInterval,
        # Of every model.
        Std,
        StandardError,
        Quantiles,
        Interval,
        Min,
        Max,
        Samples,
        Deterministic,
        # Of a model with a calibration; in answers in this order, what decides first.
        Accept,
        PredictionSet,
        PredictionInterval,
        Calibrated,
        Reason,
    )
}

#: Names of the measures that are made by a model's calibration.
OF_CALIBRATION = tuple(name for name, one in MEASURES.items() if issubclass(one, OfCalibration))


def measures_of(outputs: Iterable[Facts]) -> list[str]:
    """Names of the measures that some of a model's outputs have."""
    outputs = tuple(outputs)
    return [name for name, one in MEASURES.items() if _any_has(one, outputs)]


def read_measures(
    asked: Collection[AskedMeasure], outputs: Collection[Facts]
) -> tuple[BoundMeasure, ...]:
    """The measures that a request selects, in its order, each of all outputs that have it.

    Args:
        asked: see `AskedMeasure`.
        outputs: of the model.

    Raises:
        InputError: no output of the model has a measure, or an argument is invalid.
    """
    if not asked:
        return ()
    pairs = [_name_and_arguments(item) for item in asked]
    _require_known([name for name, _ in pairs], outputs)
    found = tuple(dict.fromkeys(MEASURES[name].read(arguments) for name, arguments in pairs))
    names = [measure.name for measure in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise MEASURES[twice].refusal("arguments twice", "one set of them in a request")
    return tuple(
        bind(measure, facts) for measure in found for facts in outputs if _has(facts, type(measure))
    )


def bind(measure: Measure, facts: Facts) -> BoundMeasure:
    """A measure of an output that has it, with the measure that it is based on.

    Raises:
        InputError: the output has no values for its arguments.
    """
    asked = measure.based_on(facts)
    if asked is None:
        return BoundMeasure(measure, facts)
    name, arguments = _name_and_arguments(asked)
    return BoundMeasure(measure, facts, bind(MEASURES[name].read(arguments), facts))


def _has(facts: Facts, measure: type[Measure]) -> bool:
    return measure.applies(facts) and measure.lacks(facts) is None


def _any_has(measure: type[Measure], outputs: Iterable[Facts]) -> bool:
    return any(_has(facts, measure) for facts in outputs)


def _require_known(names: Collection[str], outputs: Collection[Facts]) -> None:
    if all(name in MEASURES and _any_has(MEASURES[name], outputs) for name in names):
        return
    known = measures_of(outputs)
    for name in (name for name in names if name in MEASURES and name not in known):
        lacking = (
            MEASURES[name].lacks(facts) for facts in outputs if MEASURES[name].applies(facts)
        )
        if why := next(lacking, None):
            raise InputError(f"measures names {name!r}, and {why}.")
    unknown = [name for name in names if name not in known]
    if unknown:
        task = next(facts.task for facts in outputs)
        raise InputError(
            f"measures names {shortened(unknown, 200)}; a model of task {task!r} has {known} in "
            "addition to mean and variance. The task is set with mcdropout annotate MODEL --task, "
            "or in a sidecar file."
        )


def _name_and_arguments(item: AskedMeasure) -> tuple[str, Any]:
    if isinstance(item, str):
        name, *texts = item.split(":")
        if texts and all("=" in text for text in texts):
            return name, _named(name, texts)
        values = [_value(text) for text in texts]
        return name, values[0] if len(values) == 1 else values or None
    if len(item) != 1:
        raise InputError(
            f"measures has an object of {len(item)} fields; it takes names, or objects of one "
            "name and its arguments."
        )
    return next(iter(item.items()))


def _named(measure: str, texts: Collection[str]) -> dict[str, Any]:
    """Arguments that are given by name, as in "coverage=0.95"."""
    found: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name in found:
            said = f"measures gives {shortened(measure)!r} {shortened(name)!r} twice"
            raise InputError(f"{said}; it takes it once.")
        found[name] = _value(value)
    return found


def _value(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text  # the measure says what it takes
