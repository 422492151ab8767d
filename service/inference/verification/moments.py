"""Each site draws from its distribution."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.distributions import BY_KIND
from service.errors import ProofError
from service.manifest import SiteSpec, is_dropout
from service.protocol.options import SAMPLINGS, Sampling

Array = NDArray[Any]

#: Passes drawn of each site, and numbers of each pass.
_PASSES, _NUMBERS = 1024, 64


def drop_rates(sites: Sequence[SiteSpec]) -> dict[str, float]:
    """Observed share of dropped elements of each dropout, in independent passes.

    Raises:
        ProofError: it is not the rate, in these or in stratified ones.
    """
    rates: dict[str, float] = {}
    for index, site in enumerate(sites):
        if is_dropout(site):
            for sampling, kept in _drawn(index, site).items():
                rate = float((kept == 0).mean())
                rates.setdefault(site.name, rate)
                if not BY_KIND[site.kind].agrees(kept, site.rate):
                    raise ProofError(
                        f"the dropout of layer {site.layer!r} has rate {site.rate:g} and drops "
                        f"{rate:.4f} in {sampling} passes."
                    )
    return rates


def noise_moments(sites: Sequence[SiteSpec]) -> dict[str, tuple[float, float]]:
    """Observed mean and standard deviation of each site that is no dropout, as `drop_rates`.

    Raises:
        ProofError: they are not those of its distribution.
    """
    noise: dict[str, tuple[float, float]] = {}
    for index, site in enumerate(sites):
        if not is_dropout(site):
            for sampling, drawn in _drawn(index, site).items():
                numbers = drawn.astype(np.float64)
                found = float(numbers.mean()), float(numbers.std())
                noise.setdefault(site.name, found)
                distribution = BY_KIND[site.kind]
                if not distribution.agrees(numbers, None):
                    mean, variance, _ = distribution.moments()
                    raise ProofError(
                        f"layer {site.layer!r} draws {site.kind} numbers of mean and standard "
                        f"deviation {found} in {sampling} passes, not {(mean, variance**0.5)}."
                    )
    return noise


def _drawn(index: int, site: SiteSpec) -> dict[Sampling, Array]:
    """Numbers of each sampling, the independent ones first."""
    return {
        sampling: BY_KIND[site.kind]
        .draw(
            1,
            index,
            range(_PASSES),
            range(1),
            (_NUMBERS,),
            dtype=np.float32,
            rate=site.rate,
            sampling=sampling,
        )
        .numbers
        for sampling in SAMPLINGS
    }
