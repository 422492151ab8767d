"""Verify that each site changes the output of its own pass, and of no other pass."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.distributions import BY_KIND, SiteDraw
from service.core.tolerances import EFFECT
from service.errors import LayoutError, ProofError
from service.inference.runner import Draws, Frontier, Rows, Runner
from service.inference.sampler import Sampler
from service.manifest import SiteSpec

Array = NDArray[Any]


def site_effects(sampler: Sampler, rows: Rows) -> dict[str, float]:
    """Name of a site to the maximum change of an output when its draws change.

    0 if its draws change nothing for any rows (see `service.graph.idle`).

    Raises:
        LayoutError: an output depends on a site's draws in another pass.
        ProofError: the draws of a site do not reach any output; the error names its layer.
    """
    runner, block = sampler.runner, sampler.first_block(rows)
    baselines = _baselines(runner, block)
    return {
        site.name: _effect(runner, block, index, site, baselines)
        for index, site in enumerate(sampler.sites)
    }


def _baselines(runner: Runner, block: Frontier) -> list[list[SiteDraw]]:
    """Draws of the other sites while one site is tested, tried until it has an effect.

    Neutral draws do not suffice: a uniform number at its midpoint may be a mask that drops
    everything, and so hide the site behind it. The same holds for most draws of a rare mask.
    """
    neutral = runner.neutral(block, passes=1)
    drawn = [runner.draw(block, range(p, p + 1), Draws(seed=1)) for p in range(3)]
    return [neutral, *drawn, *(_hiding_none(runner.sites, neutral, end) for end in (0, 1))]


def _hiding_none(
    sites: Sequence[SiteSpec], neutral: Sequence[SiteDraw], end: int
) -> list[SiteDraw]:
    """Sites that no number switches off draw their first or second probe."""
    found = []
    for site, draw in zip(sites, neutral, strict=True):
        distribution = BY_KIND[site.kind]
        _, probed = distribution.pair(draw, distribution.probes[end])
        found.append(draw if distribution.neutral_is_off else probed)
    return found


def _effect(
    runner: Runner,
    block: Frontier,
    index: int,
    site: SiteSpec,
    baselines: Sequence[list[SiteDraw]],
) -> float:
    distribution = BY_KIND[site.kind]
    for baseline, probe in itertools.product(baselines, distribution.probes):
        pair = [
            [*baseline[:index], draw, *baseline[index + 1 :]]
            for draw in distribution.pair(baseline[index], probe)
        ]
        one, two = (runner.run(block, draws) for draws in pair)
        effect = max(_change(one[name], two[name]) for name in one)
        if effect > 0.0:
            both = runner.run(block, [_after(*draws) for draws in zip(*pair, strict=True)])
            _require_own_draws(site, both, (one, two))
            return effect
    _require_idle(runner, block, site, [baseline[index] for baseline in baselines])
    return 0.0


def _require_idle(
    runner: Runner, block: Frontier, site: SiteSpec, drawn: Sequence[SiteDraw]
) -> None:
    """Check that the draws of a site without effect end before they meet data."""
    distribution = BY_KIND[site.kind]
    probed = [draw for p in distribution.probes for draw in distribution.pair(drawn[0], p)]
    first, *ends = runner.before_data(block, site, [*drawn, *probed])
    if not first or any(_change(end[name], y) for end in ends for name, y in first.items()):
        raise ProofError(
            f"the draws of layer {site.layer!r} do not reach any output: different draws change "
            f"nothing."
        )


def _after(one: SiteDraw, two: SiteDraw) -> SiteDraw:
    """The draws of two passes."""
    return SiteDraw(np.concatenate([one.numbers, two.numbers]), one.scale)


def _change(one: Array, two: Array) -> float:
    """Maximum difference; NaN, as in a row of padding only, is ignored."""
    with np.errstate(invalid="ignore"):
        # In float64: bools have no difference, and those of unsigned numbers wrap.
        changes = np.abs(one.astype(np.float64) - two)
    return float(np.max(changes, initial=0.0, where=~np.isnan(changes)))


def _require_own_draws(site: SiteSpec, both: Rows, alone: tuple[Rows, Rows]) -> None:
    """Check that each of two passes uses its own draws of a site, as it does alone."""
    for name, one in alone[0].items():
        effect = _change(one, alone[1][name])
        moved = max(_change(both[name][index], y[name][0]) for index, y in enumerate(alone))
        # Rounding changes an output less than draws do, unless the draws' effect is below rounding.
        if moved > 0.5 * effect and effect > EFFECT * _change(one, np.zeros_like(one)):
            raise LayoutError(
                f"a pass's answer changes by {moved:.1e} with what layer {site.layer!r} draws in "
                "other passes of the same call, for example because the model uses one element of "
                "a draw for the whole batch."
            )
