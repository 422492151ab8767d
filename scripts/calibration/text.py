"""How numbers are written."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def with_error(values: NDArray[Any]) -> str:
    """The mean of (N,) independent values, and its standard error."""
    return f"{values.mean():.4f} ± {values.std() / np.sqrt(len(values)):.4f}"
