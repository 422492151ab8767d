"""Validates the options of a request against the model and the server's limits."""

import math
from dataclasses import dataclass
from typing import Any

from service.core.distributions import BY_KIND
from service.core.distributions.bernoulli import SMALLEST_RATE, is_drawable
from service.core.strata import BLOCK
from service.core.tolerances import WHOLE_RATE
from service.errors import InputError
from service.graph.plan import Plan
from service.inference.runner import Draws
from service.manifest import SiteSpec
from service.protocol.options import OPTIONS, SEED_LIMIT, OptionError, Options, Sampling

#: Of one block there is no unbiased variance. With one pass more, the error of the variance was 2.3
#: times that of independent passes (digits, co2, a dense network), with four more 0.97 to 1.06.
_LEAST_COUPLED = BLOCK + 4


def read_options(**given: Any) -> Options:
    """Read the options of a request or of a Python call.

    Raises:
        InputError: with the option, its value and the valid values.
    """
    try:
        options = Options(**given)
    except OptionError as error:
        raise InputError(str(error)) from error
    for name, option in OPTIONS.items():
        value = getattr(options, name)
        if option.choices and value not in option.choices:
            allowed = " or ".join(f'"{choice}"' for choice in option.choices)
            raise InputError(f"{name} is {value!r:.40}; it must be {allowed}.")
    return options


@dataclass(frozen=True)
class Limits:
    """Limits of one request; None is no limit.

    Attributes:
        passes: maximum number of passes.
        rows: maximum number of rows.
        samples: maximum rows × passes × inner masks, which bounds computing time.
        memory: bytes for the passes that run at a time; more passes run in chunks.
    """

    passes: int | None = None
    samples: int | None = None
    rows: int | None = None
    memory: int = 512 << 20


def require_passes(passes: int, limit: int | None) -> None:
    """Check the number of passes.

    Raises:
        InputError: they are too few, or more than the limit.
    """
    least = OPTIONS["passes"].minimum or 0
    if passes < least:
        raise InputError(
            f"passes is {passes}; a variance needs at least {least}. For the answer without "
            'dropout send "training": false.'
        )
    if limit is not None and passes > limit:
        raise InputError(f"passes is {passes}; this server allows at most {limit}.")


def require_samples(rows: int, passes: int, limits: Limits, inner: int = 1) -> None:
    """Check the amount of work of a request, whose passes have `inner` samples each.

    Raises:
        InputError: rows, or rows × passes × inner, are more than the limits.
    """
    if limits.rows is not None and rows > limits.rows:
        raise InputError(
            f"there are {rows} rows; this server allows at most {limits.rows} in a request. "
            "Send fewer at a time."
        )
    samples = rows * passes * inner
    if limits.samples is not None and samples > limits.samples:
        each = f"{passes} × {inner}" if inner > 1 else passes
        raise InputError(
            f"{rows} rows × {each} passes are {samples} samples; this server allows at most "
            f"{limits.samples} in a request. Send fewer rows or passes at a time."
        )


def sampling_of(passes: int, asked: Sampling) -> Sampling:
    """How passes are sampled; so few that blocks tell their variance badly are independent."""
    return asked if passes >= _LEAST_COUPLED else "independent"


def require_draws(draws: Draws, plan: Plan) -> None:
    """Check the seed, and that a plan can draw so.

    Raises:
        InputError: naming the option, what it is and what would be right.
    """
    if not 0 <= draws.seed < SEED_LIMIT:
        raise InputError(f"seed is {draws.seed}; it must be from 0 to {SEED_LIMIT - 1}.")
    _require_inner(draws.inner, plan)
    _require_rates(draws, plan)
    if draws.sites is not None:
        _require_sites(draws, draws.sites, plan)
    if draws.masks == "per_row":
        _require_rows_apart(draws.sites, plan)


def _require_inner(inner: int, plan: Plan) -> None:
    option = OPTIONS["inner"]
    if not (option.minimum or 0) <= inner <= (option.maximum or inner):
        raise InputError(f"inner is {inner}; it must be from {option.minimum} to {option.maximum}.")
    if inner > 1 and plan.inner is None:
        raise InputError(
            f"inner is {inner}, and this model takes only 1: it has no dropout that another site "
            "reaches, and behind which everything is computed from this dropout's output alone."
        )


def _require_rates(draws: Draws, plan: Plan) -> None:
    scale = draws.rate_scale
    if scale == 1:
        return  # the model's own rates, which were looked at when it was loaded
    if not (math.isfinite(scale) and scale >= 0):
        raise InputError(f"rate_scale is {scale}; it must be 0 or more.")
    highest = max((site for site in plan.sites if site.rate), key=_rate, default=None)
    if highest is not None and scale * _rate(highest) > 1:
        raise InputError(
            f"{_change(scale, highest)}; for this model it may be at most {1 / _rate(highest):g}."
        )
    for site in (site for site in plan.sites if site.rate and scale):
        rate = scale * _rate(site)
        if not is_drawable(rate) and not math.isclose(rate, 1, rel_tol=WHOLE_RATE):
            raise InputError(
                f"{_change(scale, site)}, which cannot be drawn; a rate may be from "
                f"{SMALLEST_RATE:.0e} to 1 - {SMALLEST_RATE:.0e}, or 1. Send 0 to turn dropout off."
            )


def _change(scale: float, site: SiteSpec) -> str:
    return (
        f"rate_scale is {scale:g}, which changes the rate of site {site.name!r} from "
        f"{site.rate:g} to {scale * _rate(site):.12g}"
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
            "sites is empty, so that no site is active. Name some of the model's sites "
            f'{known}, or send "training": false.'
        )
    for site in plan.sites:
        if not BY_KIND[site.kind].neutral_is_off and site.name not in names:
            _require_switch(site, names, plan)


def site_of_all_rows(names: frozenset[str] | None, plan: Plan) -> SiteSpec | None:
    """An active site whose draw has no axis for rows; None: rows can have masks of their own.

    Args:
        names: of the active sites; None: all.
        plan: of the model.
    """
    found = (site for site, place in plan.places.items() if place.axis is None)
    return next((site for site in found if names is None or site.name in names), None)


def _require_rows_apart(names: frozenset[str] | None, plan: Plan) -> None:
    if (site := site_of_all_rows(names, plan)) is not None:
        raise InputError(
            f'masks is "per_row", and site {site.name!r} draws once for all rows of a pass: '
            f"its draw of shape {list(plan.places[site].row)} has no axis for rows. Send "
            '"masks": "shared", or leave this site out of "sites".'
        )


def _require_switch(site: SiteSpec, names: frozenset[str], plan: Plan) -> None:
    """Whether no draw of the site leaves its data unchanged, so its layer must be switched off."""
    mine = [switch for switch in plan.switches if site.name in switch.sites]
    if any(switch.sites.isdisjoint(names) for switch in mine):
        return
    together = min((sorted(switch.sites - {site.name}) for switch in mine), key=len, default=[])
    raise InputError(
        f"sites leaves out {site.name!r}, which cannot be switched off alone: "
        + (f"it shares a switch with {together}." if together else "its file has no switch for it.")
    )
