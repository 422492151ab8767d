"""Work on some elements after the other, so that it takes little memory beside the samples."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Numbers that are worked on at a time: they fit into the processor's cache.
_NUMBERS = 1 << 14


def by_element(work: Callable[..., Array], *samples: Array) -> Array:
    """Apply `work` to samples, some elements at a time.

    Args:
        work: of (P, m) float64 samples of each array gives (m, …) values; those of an element
            must not depend on the other elements.
        samples: (P, …), or (1, …) of what is the same in all passes.

    Returns:
        (…, …) values, the shape of an element's own last.
    """
    shape = samples[0].shape[1:]
    flat = [np.reshape(array, (len(array), -1)) for array in samples]
    width = max(1, _NUMBERS // max(map(len, samples)))
    parts = [
        work(*(np.ascontiguousarray(x[:, first : first + width], np.float64) for x in flat))
        for first in range(0, max(1, flat[0].shape[1]), width)
    ]
    found = np.concatenate(parts)
    return found.reshape((*shape, *found.shape[1:]))
