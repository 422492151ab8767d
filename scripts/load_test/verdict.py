"""What a soak is held to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scripts.load_test.windows import Tally

#: Share of the time in which memory may still grow.
WARM_UP = 0.2
#: By how much of its level it may change after that.
BAND = 0.05
_MIB = 1 << 20


@dataclass(frozen=True)
class Bar:
    """A limit, what was found, and whether that keeps to it."""

    name: str
    found: str
    limit: str
    kept: bool


def answer_bars(found: Tally) -> list[Bar]:
    """Bars of the answers."""
    return [
        Bar("right answers", str(len(found.times)), "> 0", bool(found.times)),
        Bar("failures", str(found.failures), "0", not found.failures),
        Bar("answers compared", str(found.compared), "> 0", bool(found.compared)),
        Bar("of them different", str(found.mismatches), "0", not found.mismatches),
    ]


def memory_bars(seconds: Sequence[float], rss: Sequence[float], band: float = BAND) -> list[Bar]:
    """Bars of the memory after the warm-up.

    Its level is the median of the first quarter of that time. It may not be left by more
    than `band`, and neither may the line of least squares rise or fall by more than that.

    Args:
        seconds: (n,) since the beginning, of each sample, rising.
        rss: (n,) bytes.
        band: share of the level.
    """
    at, size = np.asarray(seconds, float), np.asarray(rss, float)
    if not len(at) or np.count_nonzero(late := at > WARM_UP * at[-1]) < 3:
        return [Bar("samples of memory after warm-up", str(len(at)), "3 or more", False)]
    at, size = at[late], size[late]
    level = float(np.median(size[: max(1, len(size) // 4)]))
    furthest = _furthest(size / level - 1)
    slope = float(np.polyfit(at, size, 1)[0])
    trend = slope * float(at[-1] - at[0]) / level
    shown = f"{trend:+.1%} ({slope * 3600 / _MIB:+.1f} MiB an hour)"
    limit = f"within ± {band:.0%}"
    return [
        Bar("memory against its level", f"{furthest:+.1%}", limit, abs(furthest) <= band),
        Bar("trend of memory", shown, limit, abs(trend) <= band),
    ]


def _furthest(values: NDArray[np.float64]) -> float:
    return float(values[np.argmax(np.abs(values))])
