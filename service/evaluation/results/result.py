"""All parts of the result of a setting."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from service.evaluation.bootstrap import Estimated
from service.evaluation.document import Result
from service.evaluation.results import acceptance, intervals, measures, reliability, sets
from service.evaluation.results.metrics import metric_estimates, metric_statistics
from service.evaluation.results.scored import Key, Scored, Statistics

Array = NDArray[Any]

#: Of rows with targets.
_OF_ROWS = (
    measures.measure_statistics,
    reliability.bin_statistics,
    intervals.interval_statistics,
    sets.set_statistics,
    acceptance.acceptance_statistics,
)
#: Of these, and after them rows out of distribution.
_OF_ALL = (measures.other_statistics, acceptance.other_acceptance_statistics)


def statistics_of(scored: Scored) -> Statistics:
    """The statistics of all numbers of a result that have an interval."""
    found = metric_statistics(scored)
    for part in _OF_ROWS:
        found |= scored.own(part(scored))
    for part in _OF_ALL:
        found |= {(scored.setting.name, *key): one for key, one in part(scored).items()}
    return found


def result_of(scored: Scored, estimated: Mapping[Key, Estimated], names: Array | None) -> Result:
    """The result of a setting, from the estimates of its statistics.

    Args:
        names: see `Facts.members`.
    """
    own = {key[1:]: one for key, one in estimated.items() if key[0] == scored.setting.name}
    return Result(
        setting=scored.setting,
        metrics=metric_estimates(scored, estimated),
        differences=metric_estimates(scored, estimated, "difference"),
        measures=measures.measure_results(scored, own),
        best=measures.best_order(scored),
        reliability=reliability.reliability_of(scored, own),
        intervals=intervals.intervals_of(scored, own),
        calibration=intervals.calibration_of(own),
        sets=sets.sets_of(scored, own, names),
        acceptance=acceptance.acceptance_of(scored, own),
    )
