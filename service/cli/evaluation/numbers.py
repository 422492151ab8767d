"""Numbers of an evaluation as text."""

from service.evaluation.document import Estimate

#: What a number that is not defined is written as.
NONE = "–"
#: As wide as a star, and kept at the end of a cell.
_NO_STAR = "\u00a0"


def value(estimate: Estimate | None) -> str:
    """The number alone."""
    return NONE if estimate is None or estimate.value is None else number(estimate.value)


def ends(estimate: Estimate) -> str:
    """The ends of its interval."""
    if estimate.low is None or estimate.high is None:
        return NONE
    return f"{number(estimate.low)} to {number(estimate.high)}"


def difference(estimate: Estimate | None) -> str:
    """A number with its sign, and a star if its interval excludes 0."""
    if estimate is None or estimate.value is None:
        return NONE
    sign = "+" if estimate.value > 0 else ""
    return f"{sign}{number(estimate.value)}{'*' if estimate.excludes(0.0) else _NO_STAR}"


def number(found: float) -> str:
    """Four decimals, fewer of large numbers."""
    return f"{found:.4f}" if abs(found) < 100 else f"{found:.5g}"


def percent(share: float) -> str:
    """A share in per cent."""
    return f"{100 * share:g} %"
