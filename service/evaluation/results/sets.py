"""Prediction sets of a classification: do they hold the true class, and how large are they?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.evaluation.bootstrap import Estimated
from service.evaluation.document import Group, PredictionSets
from service.evaluation.metrics.statistic import mean, means_of_groups
from service.evaluation.results.scored import Own, Scored, Statistics, of_rows

Array = NDArray[Any]

#: The least sizes of the groups of sets; as in Angelopoulos et al. 2021, table 8, and finer.
_SIZES = (0, 1, 2, 3, 4, 11, 101)


def set_statistics(scored: Scored) -> Statistics:
    """Of each rule."""
    found: Statistics = {}
    for rule, (held, size, target, inside) in scored.scores.sets.items():
        key = ("set", *rule)
        by_size = means_of_groups(_group(size), held.ravel())
        by_class = means_of_groups(target.ravel(), inside.ravel())
        # A row is covered if all its elements are.
        found[*key, "coverage"] = mean(held.min(axis=1))
        found[*key, "size"] = mean(of_rows(size))
        found[*key, "empty"] = mean(of_rows(size == 0))
        found[*key, "single"] = mean(of_rows(size == 1))
        found[*key, "by_size"] = scored.each(by_size, size.shape[1])
        found[*key, "by_class"] = scored.each(by_class, target.shape[1])
    return found


def sets_of(scored: Scored, own: Own, names: Array | None) -> tuple[PredictionSets, ...]:
    """By rule.

    Args:
        names: see `Facts.members`; indices stand for classes without a name.
    """
    found = []
    for rule, (_, size, target, _) in scored.scores.sets.items():
        mine = {key[3]: one for key, one in own.items() if key[:3] == ("set", *rule)}
        shares = {name: mine[name].at() for name in ("coverage", "size", "empty", "single")}
        sets = PredictionSets(
            method=rule.method,
            level=rule.level,
            **shares,
            by_size=_by_size(_group(size), mine["by_size"]),
            least=_least(target, mine["by_class"], names),
        )
        found.append(sets)
    return tuple(found)


def _group(size: Array) -> Array:
    """(N,) index of the group of each set's size."""
    return np.searchsorted(_SIZES, size.ravel(), side="right") - 1


def _by_size(group: Array, held: Estimated) -> tuple[Group, ...]:
    known, rows = np.unique(group, return_counts=True)
    return tuple(
        Group(name=_sizes(group), rows=count, coverage=held.at(index))
        for index, (group, count) in enumerate(zip(known.tolist(), rows.tolist(), strict=True))
    )


def _sizes(group: int) -> str:
    low, *above = _SIZES[group : group + 2]
    if not above:
        return f"{low} or more"
    return f"{low}" if above[0] == low + 1 else f"{low} to {above[0] - 1}"


def _least(target: Array, held: Estimated, names: Array | None) -> Group:
    """The class that is covered least; of equal ones that with the most rows."""
    known, rows = np.unique(target, return_counts=True)
    # Labels that are not true come last, and are all there is if none is.
    index = int(np.lexsort((-rows, held.value, known < 0))[0])
    place = int(known[index])
    name = "none" if place < 0 else str(place if names is None else names[place])
    return Group(name=name, rows=int(rows[index]), coverage=held.at(index))
