"""Each site draws from its distribution."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.distributions import BY_KIND
from service.errors import ProofError
from service.manifest import SiteSpec, is_dropout

Array = NDArray[Any]

#: Passes drawn of each site, and numbers of each pass.
_PASSES, _NUMBERS = 1024, 64


def drop_rates(sites: Sequence[SiteSpec]) -> dict[str, float]:
    """Observed share of dropped elements of each dropout.

    Raises:
        ProofError: it is not the rate.
    """
    rates = {}
    for index, site in enumerate(sites):
        if is_dropout(site):
            kept = _drawn(index, site)
            rates[site.name] = float((kept == 0).mean())
            if not BY_KIND[site.kind].agrees(kept, site.rate):
                raise ProofError(
                    f"the dropout of layer {site.layer!r} has rate {site.rate:g} and drops "
                    f"{rates[site.name]:.4f}."
                )
    return rates


def noise_moments(sites: Sequence[SiteSpec]) -> dict[str, tuple[float, float]]:
    """Observed mean and standard deviation of each site that is no dropout.

    Raises:
        ProofError: they are not those of its distribution.
    """
    noise = {}
    for index, site in enumerate(sites):
        if not is_dropout(site):
            numbers = _drawn(index, site).astype(np.float64)
            noise[site.name] = float(numbers.mean()), float(numbers.std())
            distribution = BY_KIND[site.kind]
            if not distribution.agrees(numbers, None):
                mean, variance, _ = distribution.moments()
                raise ProofError(
                    f"layer {site.layer!r} draws {site.kind} numbers of mean and standard "
                    f"deviation "
                    f"{noise[site.name]}, not {(mean, variance**0.5)}."
                )
    return noise


def _drawn(index: int, site: SiteSpec) -> Array:
    passes, shape = range(_PASSES), (_NUMBERS,)
    drawn = BY_KIND[site.kind].draw(
        1, index, passes, range(1), shape, dtype=np.float32, rate=site.rate
    )
    return drawn.numbers
