"""What a request may choose of the draws, and what is wrong with its choice."""

import math

from service.errors import InputError
from service.graph.plan import Plan
from service.manifest import SiteSpec
from service.runner import Draws


def require_draws(draws: Draws, plan: Plan) -> None:
    """Check that a plan can draw so.

    Raises:
        InputError: naming the option, what it is and what would be right.
    """
    if draws.masks not in ("shared", "per_row"):
        raise InputError(f'masks is {draws.masks!r}; it must be "shared" or "per_row".')
    _require_rates(draws, plan)
    if draws.sites is not None:
        _require_sites(draws, draws.sites, plan)


def _require_rates(draws: Draws, plan: Plan) -> None:
    scale = draws.rate_scale
    if not (math.isfinite(scale) and scale >= 0):
        raise InputError(f"rate_scale is {scale}; it must be 0 or more.")
    highest = max((site for site in plan.sites if site.rate), key=_rate, default=None)
    if highest is not None and scale * _rate(highest) > 1:
        raise InputError(
            f"rate_scale is {scale:g}, which takes the rate of site {highest.name!r} from "
            f"{highest.rate:g} to {scale * _rate(highest):g}; for this model it may be at most "
            f"{1 / _rate(highest):g}."
        )


def _rate(site: SiteSpec) -> float:
    return site.rate or 0.0


def _require_sites(draws: Draws, names: frozenset[str], plan: Plan) -> None:
    known = [site.name for site in plan.sites]
    unknown = sorted(names - set(known))
    if unknown:
        raise InputError(f"sites names {unknown}; the model has {known}.")
    if not names:
        raise InputError(
            "sites is empty, which leaves nothing to vary. Name some of the model's sites "
            f'{known}, or send "training": false.'
        )
    for site in plan.sites:
        if site.kind == "uniform" and site.name not in names:
            _require_switch(site, names, plan)


def _require_switch(site: SiteSpec, names: frozenset[str], plan: Plan) -> None:
    """A uniform number has no value that changes nothing: its layer has to be switched off."""
    mine = [switch for switch in plan.switches if site.name in switch.sites]
    if any(switch.sites.isdisjoint(names) for switch in mine):
        return
    together = min((sorted(switch.sites) for switch in mine), key=len, default=[])
    raise InputError(
        f"sites leaves out {site.name!r}, which cannot be switched off alone: "
        + (f"it goes with {together}." if together else "its file has no switch for it.")
    )
