"""From the scores of rows to the result of a setting: which statistics, and which curves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from service.core.measures import MEASURES
from service.evaluation.bootstrap import Estimated
from service.evaluation.document import (
    Bin,
    Curve,
    Estimate,
    Histogram,
    Interval,
    Level,
    MeasureResult,
    Reliability,
    Result,
    Setting,
)
from service.evaluation.metrics import calibration, ranking, risk_coverage
from service.evaluation.metrics.statistic import Ranked, Statistic, mean, root_mean
from service.evaluation.scores import Scores

Array = NDArray[Any]
#: Setting, family, and names in it.
Key: TypeAlias = tuple[str | float, ...]
Statistics: TypeAlias = dict[Key, Statistic]

#: Probabilities of the calibration curve.
LEVELS = tuple(round(0.05 * step, 2) for step in range(1, 20))
#: Metrics of a measure, as statistics give them.
_OF_ERRORS = ("aurc", "excess_aurc", "auroc", "aupr")
_OF_OTHERS = ("ood_auroc", "ood_aupr", "ood_fpr95")
#: Maximum points of a curve, and bins of a histogram.
_POINTS, _BINS = 200, 30
_BINNINGS: Mapping[str, Callable[[Array], calibration.Binned]] = {
    "equal_width": calibration.equal_width,
    "equal_mass": calibration.equal_mass,
}


@dataclass(frozen=True, eq=False)
class Scored:
    """The scores of a setting.

    Attributes:
        setting: of the passes.
        scores: of the rows with targets.
        other: measure to (B', E) values for rows out of distribution; None: there are none.
        has_density: whether the prediction of a regression is a distribution, not a number.
    """

    setting: Setting
    scores: Scores
    other: Mapping[str, Array] | None = None
    has_density: bool = True

    @property
    def is_classification(self) -> bool:
        """Whether predictions are right or wrong."""
        return "wrong" in self.scores.losses

    @property
    def elements(self) -> int:
        """E."""
        return int(self.scores.losses["nll"].shape[1])

    @property
    def risk(self) -> Array:
        """(N,) loss of each element: whether it is wrong, or its absolute error."""
        return self.scores.losses["wrong" if self.is_classification else "absolute"].ravel()

    def measures(self) -> list[tuple[str, Array]]:
        """Name and (N,) uncertainty of the measures that are not the same for all rows."""
        found = self.scores.measures.items()
        return [(name, _uncertainty(name, y)) for name, y in found if np.ptp(y) > 0]


def statistics_of(scored: Scored) -> Statistics:
    """The statistics of all numbers of a result that have an interval."""
    found = _of_measures(scored)
    found |= _of_bins(scored) if scored.is_classification else _of_intervals(scored)
    return metric_statistics(scored) | _keyed(scored, found)


def metric_statistics(scored: Scored) -> Statistics:
    """Those of the metrics alone."""
    return _keyed(scored, {("metric", name): one for name, one in _metrics(scored).items()})


def metric_estimates(scored: Scored, estimated: Mapping[Key, Estimated]) -> dict[str, Estimate]:
    """Metrics by name, from the estimates of their statistics."""
    mine = (scored.setting.name, "metric")
    return {str(key[2]): one.at() for key, one in estimated.items() if key[:2] == mine}


def _keyed(scored: Scored, found: Statistics) -> Statistics:
    """With the name of the setting; those of rows with targets see these alone."""
    count = len(scored.risk) // scored.elements
    return {
        (scored.setting.name, *key): one if key[0] == "other" else _of_first(count, one)
        for key, one in found.items()
    }


def _metrics(scored: Scored) -> dict[str, Statistic]:
    return _of_classes(scored) if scored.is_classification else _of_numbers(scored)


def _of_classes(scored: Scored) -> dict[str, Statistic]:
    losses = scored.scores.losses
    right, confidence = 1 - losses["wrong"], losses["confidence"]
    found = {"accuracy": mean(_rows(right))}
    if scored.elements > 1:
        found["exact_match"] = mean(right.min(axis=1))
    found |= {name: mean(_rows(losses[name])) for name in ("nll", "brier")}
    both = confidence.ravel(), right.ravel()
    found["ece"] = _each(calibration.ece(*both), scored)
    found["adaptive_ece"] = _each(calibration.adaptive_ece(*both), scored)
    return found


def _of_numbers(scored: Scored) -> dict[str, Statistic]:
    losses = scored.scores.losses
    found = {"rmse": root_mean(_rows(losses["squared"])), "mae": mean(_rows(losses["absolute"]))}
    if not scored.has_density:
        return found | {"crps": mean(_rows(losses["crps"]))}
    found |= {name: mean(_rows(losses[name])) for name in ("nll", "crps")}
    error = calibration.calibration_error(losses["pit"].ravel(), LEVELS)
    return found | {"calibration_error": _each(error, scored)}


def result_of(scored: Scored, estimated: Mapping[Key, Estimated]) -> Result:
    """The result of a setting, from the estimates of its statistics."""
    own = {key[1:]: one for key, one in estimated.items() if key[0] == scored.setting.name}
    return Result(
        setting=scored.setting,
        metrics=metric_estimates(scored, estimated),
        measures={name: _measure(scored, name, own) for name, _ in scored.measures()},
        reliability=_reliability(scored, own) if scored.is_classification else None,
        intervals=_intervals(scored, own),
        calibration=_calibration(own),
    )


def _of_measures(scored: Scored) -> Statistics:
    """Of all measures at once: (R, M, …), in the order of the names of the key."""
    names = [name for name, _ in scored.measures()]
    doubts = [doubt for _, doubt in scored.measures()]
    if not names:
        return {}
    found: Statistics = {("measures", *names): _each(_of_errors(doubts, scored), scored)}
    if scored.other is not None:
        pairs = [_with_others(scored, name) for name in names]
        found["other", *names] = _each(_of_others(pairs), scored)
    return found


def _of_errors(doubts: Sequence[Array], scored: Scored) -> Statistic:
    """(R, M, …) of `_OF_ERRORS`; of a regression of the first two."""
    risk, is_classification = scored.risk, scored.is_classification
    ranked, best = [Ranked(doubt) for doubt in doubts], Ranked(risk)

    def statistic(weights: Array) -> Array:
        least = risk_coverage.aurc_of(*best.both(weights, risk))
        found = []
        for one in ranked:
            sums = one.both(weights, risk)
            aurc = risk_coverage.aurc_of(*sums)
            values = [aurc, aurc - least]
            if is_classification:
                values += [ranking.auroc_of(*sums), ranking.average_precision_of(*sums)]
            found.append(np.stack(values, axis=-1))
        return np.stack(found, axis=1)

    return statistic


def _of_others(pairs: Sequence[tuple[Array, Array]]) -> Statistic:
    """(R, M, …) of `_OF_OTHERS`."""
    ranked = [(Ranked(doubt), out) for doubt, out in pairs]
    functions = (ranking.auroc_of, ranking.average_precision_of, ranking.fpr_at_of)

    def statistic(weights: Array) -> Array:
        found = []
        for one, out in ranked:
            sums = one.both(weights, out)
            found.append(np.stack([function(*sums) for function in functions], axis=-1))
        return np.stack(found, axis=1)

    return statistic


def _of_bins(scored: Scored) -> Statistics:
    confidence, right = scored.scores.losses["confidence"], 1 - scored.scores.losses["wrong"]
    return {
        ("bins", name): _each(
            calibration.accuracy_of_bins(binned(confidence.ravel()), right.ravel()), scored
        )
        for name, binned in _BINNINGS.items()
    }


def _of_intervals(scored: Scored) -> Statistics:
    if not scored.has_density:
        return {}
    pit = scored.scores.losses["pit"]
    found: Statistics = {
        ("levels",): _each(calibration.calibration_curve(pit.ravel(), LEVELS), scored)
    }
    for level, (inside, width, score) in scored.scores.intervals.items():
        found["interval", level, "picp"] = mean(_rows(inside))
        found["interval", level, "mpiw"] = mean(_rows(width))
        found["interval", level, "interval_score"] = mean(_rows(score))
    return found


def _measure(scored: Scored, name: str, own: Mapping[Key, Estimated]) -> MeasureResult:
    measure, values = MEASURES[name], scored.scores.measures[name].ravel()
    doubt, risk = _uncertainty(name, values), scored.risk
    metrics: dict[str, Estimate] = {}
    for key, one in own.items():
        if key[0] in ("measures", "other"):
            titles = _OF_ERRORS if key[0] == "measures" else _OF_OTHERS
            place = key.index(name) - 1
            metrics |= {t: one.at(place, i) for i, t in enumerate(titles[: one.value.shape[-1]])}
    wrong = risk > 0 if scored.is_classification else None
    groups = {"all": values} if wrong is None else {"right": values[~wrong], "wrong": values[wrong]}
    ood_roc = ood_histogram = None
    if scored.other is not None:
        others = scored.other[name].ravel()
        ood_roc = _roc(*_with_others(scored, name))
        ood_histogram = _histogram({"in": values, "out": others})
    return MeasureResult(
        certain=measure.certain or "low",
        unit=measure.unit,
        metrics=metrics,
        risk_coverage=_curve(*risk_coverage.curve(doubt, risk)),
        roc=None if wrong is None else _roc(doubt, wrong),
        ood_roc=ood_roc,
        histogram=_histogram(groups),
        ood_histogram=ood_histogram,
    )


def _reliability(scored: Scored, own: Mapping[Key, Estimated]) -> Reliability:
    confidence = scored.scores.losses["confidence"].ravel()
    return Reliability(
        **{
            name: _bins(binned(confidence), confidence, own["bins", name])
            for name, binned in _BINNINGS.items()
        }
    )


def _bins(binned: calibration.Binned, confidence: Array, accuracy: Estimated) -> tuple[Bin, ...]:
    rows = np.bincount(binned.index, minlength=binned.count)
    sums = np.bincount(binned.index, confidence, minlength=binned.count)
    return tuple(
        Bin(
            low=binned.edges[index],
            high=binned.edges[index + 1],
            rows=rows[index],
            confidence=sums[index] / rows[index] if rows[index] else None,
            accuracy=accuracy.at(index),
        )
        for index in range(binned.count)
    )


def _intervals(scored: Scored, own: Mapping[Key, Estimated]) -> tuple[Interval, ...]:
    def at(level: float, name: str) -> Estimate:
        return own["interval", level, name].at()

    levels = [] if not scored.has_density else scored.scores.intervals
    return tuple(
        Interval(
            level=level,
            coverage=at(level, "picp"),
            width=at(level, "mpiw"),
            score=at(level, "interval_score"),
        )
        for level in levels
    )


def _calibration(own: Mapping[Key, Estimated]) -> tuple[Level, ...]:
    curve = own.get(("levels",))
    if curve is None:
        return ()
    return tuple(Level(expected=level, observed=curve.at(i)) for i, level in enumerate(LEVELS))


def _uncertainty(name: str, values: Array) -> Array:
    """(N,) values of a measure, such that higher ones are less certain."""
    return -values.ravel() if MEASURES[name].certain == "high" else values.ravel()


def _with_others(scored: Scored, name: str) -> tuple[Array, Array]:
    """(N,) uncertainty of all rows, and whether each is out of distribution."""
    others = {} if scored.other is None else scored.other
    own, out = scored.scores.measures[name].ravel(), others[name].ravel()
    doubt = _uncertainty(name, np.concatenate([own, out]))
    return doubt, np.arange(len(doubt)) >= len(own)


def _rows(values: Array) -> Array:
    """(B,) means of (B, E) values."""
    return np.asarray(values.mean(axis=1))


def _of_first(count: int, statistic: Statistic) -> Statistic:
    """A statistic of the first rows, after which those out of distribution come."""
    return lambda weights: statistic(weights[:count])


def _each(statistic: Statistic, scored: Scored) -> Statistic:
    """A statistic of B × E elements as one of rows: each counts as often as its row."""
    each = scored.elements
    return statistic if each == 1 else lambda w: statistic(np.repeat(w, each, axis=0))


def _roc(score: Array, wanted: Array) -> Curve | None:
    if wanted.all() or not wanted.any():
        return None
    found, hits, _ = roc_curve(wanted, score)
    return _curve(found, hits)


def _curve(x: Array, y: Array) -> Curve:
    """Thinned out evenly; the ends stay."""
    index = np.unique(np.linspace(0, len(x) - 1, min(len(x), _POINTS)).round().astype(int))
    return Curve(x=tuple(x[index].tolist()), y=tuple(y[index].tolist()))


def _histogram(groups: Mapping[str, Array]) -> Histogram:
    edges = np.histogram_bin_edges(np.concatenate([*groups.values()]), _BINS)
    counts = {name: np.histogram(values, edges)[0] for name, values in groups.items()}
    return Histogram(
        edges=tuple(edges.tolist()),
        counts={name: tuple(found.tolist()) for name, found in counts.items()},
    )
