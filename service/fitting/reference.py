"""The distribution of a measure over the calibration's rows, which drift is measured from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.calibration.document import Histogram

Array = NDArray[Any]

#: Number of bins, which have equal numbers of rows, as is usual for a population stability index.
_BINS = 10


def reference(values: Array) -> Histogram:
    """A histogram of the values of a measure, in bins of nearly equal numbers.

    Equal values stay together, so that there may be fewer bins.

    Args:
        values: (N, …).
    """
    flat = np.ravel(values)
    levels = np.linspace(0, 1, _BINS + 1)[1:-1]
    edges = np.unique(np.quantile(flat, levels, method="inverted_cdf"))
    counts = np.bincount(np.searchsorted(edges, flat), minlength=len(edges) + 1)
    return Histogram(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))
