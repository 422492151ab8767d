"""From the scores of rows to the result of a setting: which statistics, and which curves.

Each file has a part of a result: the statistics that its numbers are estimated from, and how it is
made of the estimates.
"""

from service.evaluation.results.metrics import (
    differences_of,
    metric_estimates,
    metric_statistics,
)
from service.evaluation.results.result import result_of, statistics_of
from service.evaluation.results.scored import Key, Others, Scored, Statistics

__all__ = [
    "Key",
    "Others",
    "Scored",
    "Statistics",
    "differences_of",
    "metric_estimates",
    "metric_statistics",
    "result_of",
    "statistics_of",
]
