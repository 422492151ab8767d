"""Load-time verification: a model answers only after it has shown that its dropout is active.

Monte Carlo dropout fails silently: a mask that was frozen or optimized away
still gives answers, with a variance of 0 or a wrong one. So each load checks, on the
machine and execution provider that will serve, that

1. off: with neutral draws the plan gives the artifact's `training=false` output,
   where it has such an output (`agreement`);
2. passes apart: one row of one pass gives the same alone as among others, and no
   pass gets what a site draws in another (`agreement`, `effects`), nor does it matter whether
   several masks of the last site share a pass (`agreement`);
3. active: each site changes the output (`effects`);
4. moments: each site's masks drop at its rate, and its noise has the mean and the
   standard deviation of its distribution (`moments`);
5. reproducible: the same seed gives the same samples (`reproducible`);
6. variety: each site draws differently in another pass, and with another seed
   (`reproducible`);
7. probabilities: the outputs of a classification are probabilities (`probabilities`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from service.errors import LayoutError, ModelError, ProofError
from service.graph.artifact import Artifact
from service.inference.sampler import Sampler
from service.inference.trials import trial_rows
from service.inference.verification.agreement import (
    difference_among_passes,
    difference_of_inner,
    difference_off,
)
from service.inference.verification.effects import site_effects
from service.inference.verification.moments import drop_rates, noise_moments
from service.inference.verification.probabilities import require_probabilities
from service.inference.verification.reproducible import (
    PASSES,
    reproducible_samples,
    require_variety,
)

__all__ = ["PASSES", "Verification", "verify"]

Array = NDArray[Any]


class Verification(BaseModel):
    """Results of load-time verification."""

    off_difference: float | None = Field(
        description="relative difference from the artifact, dropout off; null if never off"
    )
    pass_difference: float = Field(description="relative difference of a pass alone and in a batch")
    inner_difference: float | None = Field(
        description="relative difference of several masks of the last site in one pass from as "
        "many passes; null if a pass has only one"
    )
    site_effects: dict[str, float] = Field(
        description="largest change of an output when the site draws something else; 0 where that "
        "cannot be, whatever the rows, as of a dropout on a state of zeros"
    )
    drop_rates: dict[str, float] = Field(description="observed dropout rate")
    noise: dict[str, tuple[float, float]] = Field(
        description="observed mean and standard deviation of noise"
    )
    spread: dict[str, float] = Field(description="largest standard deviation over passes")


def verify(artifact: Artifact, sampler: Sampler) -> Verification:
    """Verify that `sampler` samples `artifact`.

    Raises:
        LayoutError: the plan's layout does not suit the model; another one may.
        ProofError: with the first check that failed.
    """
    rows = trial_rows(artifact)
    try:
        samples = reproducible_samples(sampler, rows)
        off_difference = difference_off(artifact, sampler, rows)
        pass_difference = difference_among_passes(artifact, sampler, rows)
        inner_difference = difference_of_inner(artifact, sampler, rows)
    except ProofError:
        raise
    except ModelError as error:  # the runtime refused the graph, or its shapes
        raise LayoutError(f"the plan cannot run: {error}") from error
    effects = site_effects(sampler, rows)
    require_variety(sampler, rows)
    require_probabilities(samples, artifact.manifest.task)
    return Verification(
        off_difference=off_difference,
        pass_difference=pass_difference,
        inner_difference=inner_difference,
        site_effects=effects,
        drop_rates=drop_rates(sampler.sites),
        noise=noise_moments(sampler.sites),
        spread={name: _spread(y) for name, y in samples.items()},
    )


def _spread(samples: Array) -> float:
    """Largest standard deviation over passes of what is finite."""
    with np.errstate(invalid="ignore"):
        deviations = samples.astype(np.float64).std(axis=0)
    return float(np.max(deviations, initial=0.0, where=np.isfinite(deviations)))
