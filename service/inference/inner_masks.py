"""How many masks of the last site a pass should have.

A pass with J masks is a sample of two stages, whose best J follows from the shares of the second
stage in variance and cost (Cochran 1977, "Sampling techniques", section 10.6).
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from service.core.moments import Moments, Sums
from service.inference.runner import Draws, Rows
from service.inference.sampler import Sampler
from service.protocol.options import OPTIONS

#: Passes that are tried, and masks of the last site in each.
_PASSES, _MASKS = 16, 4
#: Gain from which on inner masks are suggested.
_WORTH = 2.0
#: Share of the largest gain that the best number has: more gain little, and take more memory.
_ENOUGH = 0.9


class InnerMasks(BaseModel):
    """The last site, and how many masks of it a pass should have.

    The estimates are for many rows, with trial rows in the place of those of requests.
    """

    site: str = Field(description="the last site, of which a pass may have several masks")
    variance_share: float | None = Field(
        description="estimated share of the site in the variance; null if outputs do not vary"
    )
    gain: float = Field(
        description="estimate: how many times as long passes with one mask take as those with the "
        "best number of masks, for the same error of the mean"
    )
    suggested: int = Field(description="that number if it gains at least 2, else 1")


def gain(masks: int, variance_share: float, head_share: float) -> float:
    """Variance of the mean times cost, of passes with one mask, over that of passes with more.

    With the shares s and c, J masks multiply the variance of the mean by 1 - s + s/J, and the cost
    of a pass by 1 - c + cJ. The largest gain is at J² = s/(1 - s) · (1 - c)/c.
    """
    error = 1 - variance_share + variance_share / masks
    return 1 / (error * (1 - head_share + head_share * masks))


def inner_masks(sampler: Sampler, rows: Rows, head_share: float | None) -> InnerMasks | None:
    """What to suggest; None if the plan has no such site.

    Args:
        sampler: of a verified plan.
        rows: that are tried.
        head_share: see `PlanReport`.
    """
    if sampler.plan.inner is None or head_share is None:
        return None
    variance = _variance_share(sampler, rows)
    most = int(OPTIONS["inner"].maximum or 1)
    gains = [gain(masks, variance or 0.0, head_share) for masks in range(1, most + 1)]
    best = next(n for n, found in enumerate(gains, 1) if found >= _ENOUGH * max(gains))
    return InnerMasks(
        site=sampler.plan.inner.name,
        variance_share=variance,
        gain=gains[best - 1],
        suggested=best if gains[best - 1] >= _WORTH else 1,
    )


def _variance_share(sampler: Sampler, rows: Rows) -> float | None:
    """Of the output of which it is least."""
    runner, sizes, sums = sampler.runner, sampler.sizing(rows), dict[str, Sums]()
    block, draws = sampler.first_block(rows), Draws(1, "per_row", inner=_MASKS)
    # Several masks in a pass take at most the memory of as many passes.
    size = sizes.passes(sizes.samples // _MASKS, block.rows)
    for first in range(0, _PASSES, size):
        passes = range(first, min(first + size, _PASSES))
        for name, y in runner.run(block, runner.draw(block, passes, draws)).items():
            sums[name] = (sums.get(name) or Sums.start(y, inner=_MASKS)).add(y)
    shares = (_share_within(one.moments()) for one in sums.values())
    return min((share for share in shares if share is not None), default=None)


def _share_within(moments: Moments) -> float | None:
    """Share of the variance between the masks of a pass; None if there is no variance."""
    if moments.within is None:
        return None
    within = _total(moments.within) * _MASKS / (_MASKS - 1)
    whole = _total(moments.variance)
    return min(within / whole, 1.0) if whole else None


def _total(y: NDArray[np.float64]) -> float:
    return float(np.sum(y, where=np.isfinite(y)))
