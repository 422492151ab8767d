"""Numbers as text, with the digits that their intervals allow."""

import math

from service.evaluation.document import Estimate
from service.evaluation.report.charts.series import Estimate as Drawn

#: What a number that is not defined is written as.
NONE = "–"
_PERCENT = "\u00a0%"  # not broken at the end of a line
_FIRST = 3.55
#: A spread of this share of a number is that of its rounding.
_ROUNDING = 1e-6
_WORDS = {
    "std": "standard deviation",
    "epistemic": "epistemic variance",
    "aleatoric": "aleatoric variance",
    "total": "total variance",
}
_UNITS = {"nats": "nats", "output": "unit of the output", "output²": "square of the output's unit"}


def drawn(estimate: Estimate) -> Drawn:
    """The same for a chart, where what is not defined is NaN."""
    return Drawn(*(math.nan if end is None else end for end in _three(estimate)))


def interval(estimate: Estimate, *, percent: bool = False) -> str:
    """A number and its interval, such as "0.062 (0.041 to 0.088)" or "98.9 % (97.6 to 99.6 %)"."""
    value, low, high = _three(estimate)
    if value is None:
        return NONE
    decimals, sign = decimals_of(estimate, percent=percent), _PERCENT if percent else ""
    said = written(value, decimals, percent=percent)
    if low is None or high is None:
        return said + sign
    ends = [written(end, decimals, percent=percent) for end in (low, high)]
    return f"{said}{sign} ({' to '.join(ends)}{sign})"


def value(estimate: Estimate, decimals: int, *, percent: bool = False) -> str:
    """The number alone, with fixed decimals."""
    if estimate.value is None or not math.isfinite(estimate.value):
        return NONE
    return written(estimate.value, decimals, percent=percent) + (_PERCENT if percent else "")


def share(number: float) -> str:
    """A share without an interval, in per cent: three digits, as of 98.9 % or 0.12 %."""
    return f"{_minus(f'{100 * number:.3g}')}{_PERCENT}"


def decimals_of(estimate: Estimate, *, percent: bool = False) -> int:
    """Decimals for a number and its interval: as many as the half of its width is known with.

    That has two digits if it begins with 1 to 3.5, else one, as particle physicists round (PDG,
    Review of Particle Physics, section 5.3). A number without an interval has three digits.
    """
    number, low, high = _three(estimate)
    scale = 100.0 if percent else 1.0
    spread = (high - low) / 2 * scale if low is not None and high is not None else 0.0
    if spread > _ROUNDING * abs(number or 0.0) * scale:
        first = spread / 10 ** math.floor(math.log10(spread))
        return _decimals(spread, 2 if first < _FIRST else 1)
    return _decimals(abs(number or 0.0) * scale, 3)


def written(number: float, decimals: int, *, percent: bool = False) -> str:
    """A number with fixed decimals, and a comma at each thousand."""
    scaled = 100 * number if percent else number
    if abs(scaled) >= 1e9:
        return _minus(f"{scaled:.3g}")
    return _minus(f"{scaled:,.{decimals}f}")


def named(title: str, unit: str) -> str:
    """A name with its unit, for an axis."""
    return f"{title}, {_UNITS[unit]}" if unit in _UNITS else title


def readable(name: str) -> str:
    """The name of a measure as words."""
    return _WORDS.get(name) or name.replace("_", " ")


def _decimals(size: float, digits: int) -> int:
    return min(max(digits - 1 - math.floor(math.log10(size)), 0), 6) if size > 0 else digits - 1


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _three(estimate: Estimate) -> tuple[float | None, float | None, float | None]:
    ends = (estimate.value, estimate.low, estimate.high)
    value, low, high = (None if end is None or not math.isfinite(end) else end for end in ends)
    return value, low, high
