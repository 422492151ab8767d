"""The distributions of sites: one file each.

To add one, write its file, and register it in `DISTRIBUTIONS`.
"""

from service.core.distributions.base import (
    Distribution,
    Operator,
    PopulationMoments,
    SiteDraw,
)
from service.core.distributions.bernoulli import Bernoulli
from service.core.distributions.normal import Normal
from service.core.distributions.uniform import Uniform

__all__ = [
    "BY_KIND",
    "DISTRIBUTIONS",
    "Distribution",
    "Operator",
    "PopulationMoments",
    "SiteDraw",
]

DISTRIBUTIONS: tuple[Distribution, ...] = (Bernoulli(), Uniform(), Normal())

#: Distributions by kind, their name in manifests.
BY_KIND = {kind: one for one in DISTRIBUTIONS for kind in one.kinds}
