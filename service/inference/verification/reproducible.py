"""A seed gives the same samples again, and another seed, or pass, gives others."""

import numpy as np

from service.core.distributions import BY_KIND
from service.errors import ProofError
from service.inference.runner import Draws, Rows
from service.inference.sampler import Sampler

PASSES = 16


def reproducible_samples(sampler: Sampler, rows: Rows) -> Rows:
    """Output name to (PASSES, B, …) samples of a seed.

    Raises:
        ProofError: they are others when drawn again.
    """
    first, again = (sampler.sample(rows, PASSES, Draws(seed=1)) for _ in range(2))
    for name, samples in first.items():
        if not np.array_equal(samples, again[name], equal_nan=samples.dtype.kind == "f"):
            raise ProofError(f"output {name!r} differs between two runs with the same seed.")
    return first


def require_variety(sampler: Sampler, rows: Rows) -> None:
    """Each site draws differently by pass, and by seed.

    Looked at where it draws: an output may be the same in many passes, as behind a rare coin.

    Raises:
        ProofError: naming the layer that does not.
    """
    block = sampler.first_block(rows)
    first, other = (sampler.runner.draw(block, range(PASSES), Draws(seed)) for seed in (1, 2))
    for site, (one, _), (two, _) in zip(sampler.sites, first, other, strict=True):
        if not BY_KIND[site.kind].must_vary(one.size, site.rate):
            continue
        if np.array_equal(one, np.broadcast_to(one[:1], one.shape)):
            raise ProofError(f"layer {site.layer!r} draws the same in all of {PASSES} passes.")
        if np.array_equal(one, two):
            raise ProofError(f"layer {site.layer!r} draws the same for two different seeds.")
