"""The registry of measures, which requests select by name in addition to mean and variance.

To add one, write its file and its test, and register it in `MEASURES`.
"""

from collections.abc import Collection, Mapping
from typing import Any

from service.core.measures.base import Measure, Needs
from service.core.measures.mutual_information import MutualInformation
from service.core.measures.predictive_entropy import PredictiveEntropy
from service.core.measures.quantiles import Quantiles
from service.core.measures.variation_ratio import VariationRatio
from service.errors import InputError, shortened
from service.protocol.options import AskedMeasure

__all__ = ["MEASURES", "Measure", "Needs", "measures_of", "read_measures"]

MEASURES: Mapping[str, type[Measure]] = {
    measure.name: measure
    for measure in (
        PredictiveEntropy,
        MutualInformation,
        VariationRatio,
        Quantiles,
    )
}


def measures_of(task: str) -> list[str]:
    """Names of the measures that models of a task have."""
    return [name for name, measure in MEASURES.items() if measure.applies(task)]


def read_measures(asked: Collection[AskedMeasure], task: str) -> tuple[Measure, ...]:
    """The measures that a request selects, in its order.

    Args:
        asked: see `AskedMeasure`.
        task: of the model.

    Raises:
        InputError: a measure is unknown for models of this task, or an argument is invalid.
    """
    if not asked:
        return ()
    pairs = [_name_and_arguments(item) for item in asked]
    known = measures_of(task)
    unknown = [name for name, _ in pairs if name not in known]
    if unknown:
        raise InputError(
            f"measures names {shortened(unknown, 200)}; a model of task {task!r} has {known} in "
            f"addition to mean and variance."
        )
    found = tuple(dict.fromkeys(MEASURES[name].read(arguments) for name, arguments in pairs))
    names = [measure.name for measure in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise MEASURES[twice].refusal("arguments twice", "one set of them in a request")
    return found


def _name_and_arguments(item: AskedMeasure) -> tuple[str, Any]:
    if isinstance(item, str):
        name, *values = item.split(":")
        arguments = [_value(text) for text in values]
        return name, arguments[0] if len(arguments) == 1 else arguments or None
    if len(item) != 1:
        raise InputError(
            f"measures has an object of {len(item)} fields; it takes names, or objects of one "
            "name and its arguments."
        )
    return next(iter(item.items()))


def _value(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text  # the measure says what it takes
