"""A seed reproduces its samples, and another seed or pass gives other samples."""

import numpy as np

from service.core.distributions import BY_KIND
from service.errors import ProofError
from service.inference.runner import Draws, Rows
from service.inference.sampler import Sampler

PASSES = 16


def reproducible_samples(sampler: Sampler, rows: Rows) -> Rows:
    """Output name to (PASSES, B, …) samples of a seed.

    Raises:
        ProofError: a second run gives other samples.
    """
    first, again = (sampler.sample(rows, PASSES, Draws(seed=1)) for _ in range(2))
    for name, samples in first.items():
        if not np.array_equal(samples, again[name], equal_nan=samples.dtype.kind == "f"):
            raise ProofError(f"output {name!r} differs between two runs with the same seed.")
    return first


def require_variety(sampler: Sampler, rows: Rows) -> None:
    """Check that the draws of each site differ between passes, and between seeds.

    The draws are compared, not the outputs, because an output may be the same in many passes,
    for example after a rare mask.

    Raises:
        ProofError: a site draws the same; the error names its layer.
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
