"""Settings compared with the main one: by which scores, and what a difference shows."""

from service.evaluation.document import Estimate, Evaluation, MetricInfo, Result
from service.evaluation.report.charts.frame import Format, percent, plain

#: Scores of the whole predictive distribution first, and what they are called in sentences.
SCORES = {
    "nll": "negative log-likelihood (NLL)",
    "crps": "continuous ranked probability score (CRPS)",
    "rmse": "root mean square error",
}
#: Verdicts.
BETTER, WORSE = "better", "worse"
_AS_PERCENT = ("accuracy", "exact_match", "ece", "adaptive_ece", "calibration_error")


def deterministic(evaluation: Evaluation) -> Result | None:
    """The result of the network with dropout off."""
    found = (r for r in evaluation.results if r.setting.kind == "deterministic")
    return next(found, None)


def score_of(*results: Result) -> str | None:
    """The first score that all of them have."""
    return next((name for name in SCORES if all(name in r.metrics for r in results)), None)


def verdict(difference: Estimate | None, info: MetricInfo) -> str:
    """Whether a setting is better or worse than the main one; empty: not shown."""
    if difference is None or difference.value is None or not difference.excludes(0.0):
        return ""
    if info.better == "nominal":
        return ""
    return BETTER if (difference.value > 0) == (info.better == "higher") else WORSE


def is_percentage(name: str) -> bool:
    """Whether a metric is written as one."""
    return name in _AS_PERCENT


def form_of(name: str) -> Format:
    """How the ticks of a metric are written."""
    return percent if is_percentage(name) else plain


def direction(info: MetricInfo) -> str:
    """Which values are better, as a sentence."""
    return {"lower": "Lower is better.", "higher": "Higher is better."}.get(info.better, "")


def capital(title: str) -> str:
    """As the title of a figure."""
    return title[:1].upper() + title[1:]
