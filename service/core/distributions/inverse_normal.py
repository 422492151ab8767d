"""The inverse of the standard normal distribution function."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Coefficients of the powers of r, of numerator and denominator: where p is within 0.425 of 1/2
#: with r = 0.180625 - (p - 1/2)², and beyond with r = √(-ln min(p, 1 - p)) - 1.6.
_MIDDLE = (
    (3.3871327179, 50.434271938, 159.29113202, 59.109374720),
    (1.0, 17.895169469, 78.757757664, 67.187563600),
)
_ENDS = (
    (1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103),
    (1.0, 0.73700164250, 0.12021132975),
)
_HALF_MIDDLE = 0.425


def inverse_normal(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """The x of which a standard normal number is below with probability p, to 4e-7 of x.

    Algorithm AS 241, PPND7 (Wichura 1988), without its third branch, which begins at p = 1.4e-11.

    Args:
        p: (…) float64, from 5e-12 to 1 - 5e-12.

    Returns:
        (…) float64.
    """
    q = p - 0.5
    found: NDArray[np.float64] = q * _ratio(_MIDDLE, _HALF_MIDDLE**2 - q * q)
    ends = np.abs(q) > _HALF_MIDDLE
    at = q[ends]
    r = np.sqrt(-np.log(0.5 - np.abs(at))) - 1.6
    found[ends] = np.copysign(_ratio(_ENDS, r), at)
    return found


def _ratio(coefficients: tuple[tuple[float, ...], ...], r: NDArray[np.float64]) -> NDArray[Any]:
    above, below = (np.polynomial.polynomial.polyval(r, c, tensor=False) for c in coefficients)
    ratio: NDArray[Any] = above / below
    return ratio
