"""The proof a model gives before it serves: that its uncertainty is alive, here and now.

Monte Carlo dropout fails in silence: a mask that was frozen or optimised away
still gives answers, with a variance of 0 or a wrong one. So each load, on the
machine and provider that will serve, shows

1. off: with masks of ones the plan gives the artifact's `training=false` output;
2. passes apart: one row of one pass gives the same alone as among others;
3. alive: zeroing a site's mask changes the output, for each site;
4. rates: each site's masks drop as often as its rate says;
5. replay: the same seed gives the same samples, another seed gives others;
6. spread: every output behind a site differs between passes.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from service.core.masks import draw_masks, quantised_rate
from service.engine import Engine
from service.errors import ProofError
from service.graph.artifact import Artifact
from service.manifest import TRAINING_INPUT, InputSpec
from service.sampler import Rows, Sampler

Array = NDArray[Any]

ROWS, PASSES = 4, 16
#: Largest difference, relative to the largest output, between two ways to the same number.
TOLERANCE = 1e-5
#: Decisions drawn for each site, and standard errors that its rate may be off
#: (by chance once in 5e8 loads).
_DRAWS, _SIGMAS = 1 << 16, 6.0
_DYNAMIC_SIZES = {3: 16, 4: 64, 5: 16}


class Proof(BaseModel):
    """What was seen when the model was loaded."""

    off_difference: float = Field(description="plan against artifact with dropout off, relative")
    pass_difference: float = Field(description="a pass alone against among others, relative")
    site_effects: dict[str, float] = Field(
        description="largest change of an output when the site is zeroed"
    )
    drop_rates: dict[str, float] = Field(description="observed share of dropped elements")
    spread: dict[str, float] = Field(description="largest standard deviation over passes")


def prove(artifact: Artifact, sampler: Sampler) -> Proof:
    """Prove that `sampler` samples `artifact`.

    Raises:
        ProofError: naming the first claim that does not hold.
    """
    rows = {spec.name: _rows(spec) for spec in artifact.manifest.inputs}
    off = sampler.deterministic(rows)
    return Proof(
        off_difference=_prove_off(artifact, sampler, rows, off),
        pass_difference=_prove_passes_apart(sampler, rows),
        site_effects=_prove_alive(sampler, rows, off),
        drop_rates=_prove_rates(sampler),
        spread=_prove_spread_and_replay(artifact, sampler, rows),
    )


def _rows(spec: InputSpec) -> Array:
    """Rows to try: the manifest's example, and random ones of its location and scale."""
    rng = np.random.default_rng(0)
    dtype = np.dtype(spec.dtype)
    example = None if spec.example is None else np.asarray(spec.example, dtype)
    shape = [size or _DYNAMIC_SIZES.get(len(spec.shape), 8) for size in spec.shape[1:]]
    if example is not None:
        shape = list(example.shape)
    rows: Array
    if np.issubdtype(dtype, np.floating):
        rows = rng.standard_normal((ROWS, *shape))
        if example is not None:
            rows = rows * (float(example.std()) or 1.0) + float(example.mean())
    else:
        rows = rng.integers(0, 2, (ROWS, *shape))
    rows = rows.astype(dtype)
    if example is not None:
        rows[0] = example
    return rows


def _prove_off(artifact: Artifact, sampler: Sampler, rows: Rows, off: Rows) -> float:
    engine = Engine(artifact.content, sampler.providers)
    wanted = engine.run({**rows, TRAINING_INPUT: np.array(False)})
    difference = max(_difference(off[name], wanted[name]) for name in wanted)
    if not difference <= TOLERANCE:
        raise ProofError(
            f"with dropout off the plan differs from the artifact by {difference:.1e} of the "
            f"output's scale; {TOLERANCE:.0e} is allowed."
        )
    return difference


def _prove_passes_apart(sampler: Sampler, rows: Rows) -> float:
    masks = sampler.draw(rows, passes=3, seed=1)
    together = sampler.run_masks(rows, masks)
    difference = 0.0
    for index in range(3):
        row = {name: x[index : index + 1] for name, x in rows.items()}
        alone = sampler.run_masks(row, [mask[index : index + 1] for mask in masks])
        for name, samples in together.items():
            difference = max(difference, _difference(alone[name][0, 0], samples[index, index]))
    if not difference <= TOLERANCE:
        raise ProofError(
            f"a row's answer changes by {difference:.1e} of its scale with the other rows and "
            "passes of the same call, so the model mixes rows of its batch and cannot be sampled "
            "in one."
        )
    return difference


def _prove_alive(sampler: Sampler, rows: Rows, off: Rows) -> dict[str, float]:
    effects = {}
    for index, site in enumerate(sampler.sites):
        masks = sampler.ones(rows, passes=1)
        masks[index] = np.zeros_like(masks[index])
        zeroed = sampler.run_masks(rows, masks)
        effects[site.name] = max(
            float(np.max(np.abs(zeroed[name][:, 0] - off[name]), initial=0.0)) for name in off
        )
        if effects[site.name] == 0.0:
            raise ProofError(
                f"the dropout of layer {site.layer!r} does not reach any output: zeroing it "
                "changes nothing."
            )
    return effects


def _prove_rates(sampler: Sampler) -> dict[str, float]:
    rates = {}
    for index, site in enumerate(sampler.sites):
        masks = draw_masks(1, index, range(_DRAWS // 64), (64,), site.rate)
        rates[site.name] = float((masks == 0).mean())
        q = quantised_rate(site.rate)
        if abs(rates[site.name] - q) > _SIGMAS * math.sqrt(q * (1 - q) / _DRAWS):
            raise ProofError(
                f"the dropout of layer {site.layer!r} has rate {site.rate:g} and drops "
                f"{rates[site.name]:.4f}."
            )
    return rates


def _prove_spread_and_replay(artifact: Artifact, sampler: Sampler, rows: Rows) -> dict[str, float]:
    first, again, other = (sampler.sample(rows, PASSES, seed) for seed in (1, 1, 2))
    spread = {}
    for output in artifact.manifest.outputs:
        samples = first[output.name]
        spread[output.name] = float(samples.astype(np.float64).std(axis=1).max())
        if not np.array_equal(samples, again[output.name]):
            raise ProofError(f"output {output.name!r} differs between two runs of one seed.")
        if not output.stochastic:
            continue
        if spread[output.name] == 0.0:
            raise ProofError(f"output {output.name!r} is the same in all of {PASSES} passes.")
        if np.array_equal(samples, other[output.name]):
            raise ProofError(f"output {output.name!r} is the same for two different seeds.")
    return spread


def _difference(found: Array, wanted: Array) -> float:
    """max |found - wanted| / max |wanted|; NaN counts as infinite."""
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    scale = float(np.max(np.abs(b), initial=0.0)) or 1.0
    difference = float(np.max(np.abs(a - b), initial=0.0)) / scale
    return math.inf if math.isnan(difference) else difference
