"""What the measures of a setting say of errors, and of rows out of distribution."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from service.core.measures import MEASURES
from service.evaluation.document import Curve, Estimate, Histogram, MeasureResult
from service.evaluation.metrics import ranking, risk_coverage
from service.evaluation.metrics.statistic import Ranked, Statistic
from service.evaluation.results.scored import Own, Scored, Statistics, uncertainty

Array = NDArray[Any]

#: Metrics of a measure, as statistics give them.
_OF_ERRORS = ("aurc", "excess_aurc", "auroc", "aupr")
_OF_OTHERS = ("ood_auroc", "ood_aupr", "ood_fpr95")
#: Maximum points of a curve, and bins of a histogram.
_POINTS, _BINS = 200, 30


def measure_statistics(scored: Scored) -> Statistics:
    """Of all measures at once: (R, M, …), in the order of the names of the key."""
    found = scored.measures()
    if not found:
        return {}
    doubts = [doubt for _, doubt in found]
    return {("measures", *(name for name, _ in found)): scored.each(_of_errors(doubts, scored))}


def other_statistics(scored: Scored) -> Statistics:
    """The same of rows with targets and those out of distribution."""
    names = [name for name, _ in scored.measures()]
    if scored.others is None or not names:
        return {}
    pairs = [_with_others(scored, name) for name in names]
    return {("others", *names): scored.each(_of_others(pairs))}


def measure_results(scored: Scored, own: Own) -> dict[str, MeasureResult]:
    """By name."""
    return {name: _result(scored, name, own) for name, _ in scored.measures()}


def best_order(scored: Scored) -> Curve | None:
    """Risk and coverage of a regression if the rows with the least errors came first."""
    if scored.is_classification:
        return None
    return _curve(*risk_coverage.curve(scored.risk, scored.risk))


def _of_errors(doubts: Sequence[Array], scored: Scored) -> Statistic:
    """(R, M, …) of `_OF_ERRORS`; of a regression of the first two."""
    risk, is_classification = scored.risk, scored.is_classification
    best, *ranked = (Ranked(one).events(risk) for one in (risk, *doubts))

    def statistic(weights: Array) -> Array:
        least = risk_coverage.aurc_of(best(weights))
        found = []
        for one in ranked:
            events = one(weights)
            aurc = risk_coverage.aurc_of(events)
            values = [aurc, aurc - least]
            if is_classification:
                values += [ranking.auroc_of(events), ranking.average_precision_of(events)]
            found.append(np.stack(values, axis=-1))
        return np.stack(found, axis=1)

    return statistic


def _of_others(pairs: Sequence[tuple[Array, Array]]) -> Statistic:
    """(R, M, …) of `_OF_OTHERS`."""
    ranked = [Ranked(doubt).events(out) for doubt, out in pairs]
    functions = (ranking.auroc_of, ranking.average_precision_of, ranking.fpr_at_of)

    def statistic(weights: Array) -> Array:
        found = []
        for one in ranked:
            events = one(weights)
            found.append(np.stack([function(events) for function in functions], axis=-1))
        return np.stack(found, axis=1)

    return statistic


def _result(scored: Scored, name: str, own: Own) -> MeasureResult:
    measure, values = MEASURES[name], scored.scores.measures[name].ravel()
    doubt, risk = uncertainty(name, values), scored.risk
    wrong = risk > 0 if scored.is_classification else None
    groups = {"all": values} if wrong is None else {"right": values[~wrong], "wrong": values[wrong]}
    ood_roc = ood_histogram = None
    if scored.others is not None:
        ood_roc = _roc(*_with_others(scored, name))
        others = scored.others.measures[name].ravel()
        ood_histogram = _histogram({"in": values, "out": others})
    return MeasureResult(
        certain=measure.certain or "low",
        unit=measure.unit,
        metrics=_metrics(name, own),
        risk_coverage=_curve(*risk_coverage.curve(doubt, risk)),
        roc=None if wrong is None else _roc(doubt, wrong),
        ood_roc=ood_roc,
        histogram=_histogram(groups),
        ood_histogram=ood_histogram,
    )


def _metrics(name: str, own: Own) -> dict[str, Estimate]:
    metrics: dict[str, Estimate] = {}
    for key, one in own.items():
        if key[0] in ("measures", "others"):
            titles = _OF_ERRORS if key[0] == "measures" else _OF_OTHERS
            place = key.index(name) - 1
            metrics |= {t: one.at(place, i) for i, t in enumerate(titles[: one.value.shape[-1]])}
    return metrics


def _with_others(scored: Scored, name: str) -> tuple[Array, Array]:
    """(N,) uncertainty of all rows, and whether each is out of distribution."""
    others = {} if scored.others is None else scored.others.measures
    own, out = scored.scores.measures[name].ravel(), others[name].ravel()
    doubt = uncertainty(name, np.concatenate([own, out]))
    return doubt, np.arange(len(doubt)) >= len(own)


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
