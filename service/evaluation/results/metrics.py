"""The metrics of a setting."""

from collections.abc import Mapping, Sequence

from service.evaluation.bootstrap import Estimated
from service.evaluation.document import Estimate
from service.evaluation.metrics import calibration
from service.evaluation.metrics.statistic import Statistic, mean, root_mean
from service.evaluation.results.intervals import LEVELS
from service.evaluation.results.scored import Key, Scored, Statistics, of_rows


def metric_statistics(scored: Scored) -> Statistics:
    """The statistics of the metrics."""
    found = _of_classes(scored) if scored.is_classification else _of_numbers(scored)
    return scored.own({("metric", name): one for name, one in found.items()})


def differences_of(settings: Sequence[Scored], main: Scored) -> dict[Key, tuple[Key, Key]]:
    """Of the metrics of other settings: the one of the setting, and the same of the main one."""
    of_main = {key[2]: key for key in metric_statistics(main)}
    found: dict[Key, tuple[Key, Key]] = {}
    for one in settings:
        for key in metric_statistics(one):
            if one is not main and key[2] in of_main:
                found[one.setting.name, "difference", key[2]] = (key, of_main[key[2]])
    return found


def metric_estimates(
    scored: Scored, estimated: Mapping[Key, Estimated], family: str = "metric"
) -> dict[str, Estimate]:
    """Metrics by name, from the estimates of their statistics."""
    mine = (scored.setting.name, family)
    return {str(key[2]): one.at() for key, one in estimated.items() if key[:2] == mine}


def _of_classes(scored: Scored) -> dict[str, Statistic]:
    losses = scored.scores.losses
    right, confidence = 1 - losses["wrong"], losses["confidence"]
    found = {"accuracy": mean(of_rows(right))}
    if scored.elements > 1:
        found["exact_match"] = mean(right.min(axis=1))
    found |= {name: mean(of_rows(losses[name])) for name in ("nll", "brier")}
    both = confidence.ravel(), right.ravel()
    found["ece"] = scored.each(calibration.ece(*both))
    found["adaptive_ece"] = scored.each(calibration.adaptive_ece(*both))
    return found


def _of_numbers(scored: Scored) -> dict[str, Statistic]:
    losses = scored.scores.losses
    squared, absolute = losses["squared"], losses["absolute"]
    found = {"rmse": root_mean(of_rows(squared)), "mae": mean(of_rows(absolute))}
    if not scored.has_density:
        return found | {"crps": mean(of_rows(losses["crps"]))}
    found |= {name: mean(of_rows(losses[name])) for name in ("nll", "crps")}
    error = calibration.calibration_error(losses["pit"].ravel(), LEVELS)
    return found | {"calibration_error": scored.each(error)}
