"""The interface of what a stopping rule requires of an output."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from service.core.measures.bound import BoundMeasure
from service.core.summary import Running

Bools = NDArray[np.bool_]


class Criterion(ABC):
    """What is required of the elements of an output, judged by its samples so far.

    Attributes:
        state: whose state it reads, beside those of the measures of a request; None: none.
        number_bytes: maximum bytes of that state for each number of a row.
    """

    state: BoundMeasure | None = None
    number_bytes: int = 0

    @abstractmethod
    def met(self, running: Running) -> Bools:
        """(R, …) whether each element, or each group of elements that is judged, meets it.

        Args:
            running: the samples so far of (R, …) outputs.
        """
