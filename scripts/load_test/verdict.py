"""The limits of a soak test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scripts.load_test.windows import Tally

#: Share of the time that is the warm-up, in which memory may grow.
WARM_UP = 0.2
#: Maximum change of the memory after that, as a share of its level.
BAND = 0.05
_MIB = 1 << 20


@dataclass(frozen=True)
class Bar:
    """A limit, the measured value, and whether it keeps the limit."""

    name: str
    found: str
    limit: str
    kept: bool


def answer_bars(found: Tally) -> list[Bar]:
    """Limits of the answers."""
    return [
        Bar("right answers", str(len(found.times)), "> 0", bool(found.times)),
        Bar("failures", str(found.failures), "0", not found.failures),
        Bar("answers compared", str(found.compared), "> 0", bool(found.compared)),
        Bar("of them different", str(found.mismatches), "0", not found.mismatches),
    ]


def memory_bars(seconds: Sequence[float], rss: Sequence[float], band: float = BAND) -> list[Bar]:
    """Limits of the memory after the warm-up.

    The level is the median of the first quarter of that time. No sample may differ from it by
    more than `band`, and the least-squares line may not rise or fall by more than that.

    Args:
        seconds: (n,) since the beginning, of each sample, increasing.
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
    shown = f"{trend:+.1%} ({slope * 3600 / _MIB:+.1f} MiB/h)"
    limit = f"within ± {band:.0%}"
    return [
        Bar("memory against its level", f"{furthest:+.1%}", limit, abs(furthest) <= band),
        Bar("trend of memory", shown, limit, abs(trend) <= band),
    ]


def _furthest(values: NDArray[np.float64]) -> float:
    return float(values[np.argmax(np.abs(values))])
