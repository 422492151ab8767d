"""Reliability diagrams of a classification."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.evaluation.bootstrap import Estimated
from service.evaluation.document import Bin, Reliability
from service.evaluation.metrics import calibration
from service.evaluation.results.scored import Own, Scored, Statistics

Array = NDArray[Any]

_BINNINGS: Mapping[str, Callable[[Array], calibration.Binned]] = {
    "equal_width": calibration.equal_width,
    "equal_mass": calibration.equal_mass,
}


def bin_statistics(scored: Scored) -> Statistics:
    """The accuracy of each bin."""
    if not scored.is_classification:
        return {}
    losses = scored.scores.losses
    confidence, right = losses["confidence"].ravel(), 1 - losses["wrong"].ravel()
    return {
        ("bins", name): scored.each(calibration.accuracy_of_bins(binned(confidence), right))
        for name, binned in _BINNINGS.items()
    }


def reliability_of(scored: Scored, own: Own) -> Reliability | None:
    """The diagrams; None of a regression."""
    if not scored.is_classification:
        return None
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
