"""The proof a model gives before it serves: that its uncertainty is alive, here and now.

Monte Carlo dropout fails in silence: a mask that was frozen or optimised away
still gives answers, with a variance of 0 or a wrong one. So each load, on the
machine and provider that will serve, shows

1. off: with draws that change nothing the plan gives the artifact's
   `training=false` output;
2. passes apart: one row of one pass gives the same alone as among others;
3. alive: other draws of one site change the output, for each site;
4. rates: each site's masks drop as often as its rate says, its noise has its mean
   and spread;
5. replay: the same seed gives the same samples, another seed gives others;
6. spread: every output behind a site differs between passes.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from service.core.draws import draw
from service.core.masks import quantised_rate
from service.engine import Engine
from service.errors import ProofError
from service.graph.artifact import Artifact
from service.manifest import TRAINING_INPUT, InputSpec, SiteSpec
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
        description="largest change of an output when the site draws something else"
    )
    drop_rates: dict[str, float] = Field(description="observed share of dropped elements")
    noise: dict[str, tuple[float, float]] = Field(
        description="observed mean and standard deviation of noise"
    )
    spread: dict[str, float] = Field(description="largest standard deviation over passes")


def prove(artifact: Artifact, sampler: Sampler) -> Proof:
    """Prove that `sampler` samples `artifact`.

    Raises:
        ProofError: naming the first claim that does not hold.
    """
    rows = {spec.name: _rows(spec) for spec in artifact.manifest.inputs}
    off = sampler.deterministic(rows)
    effects = _prove_alive(sampler, rows)
    return Proof(
        off_difference=_prove_off(artifact, sampler, rows, off),
        pass_difference=_prove_passes_apart(artifact, sampler, rows),
        site_effects={site: max(by_output.values()) for site, by_output in effects.items()},
        drop_rates=_prove_rates(sampler),
        noise=_prove_noise(sampler),
        spread=_prove_spread_and_replay(artifact, sampler, rows, effects),
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


def _tolerance(artifact: Artifact) -> float:
    """What the export was checked to, which is more where a layer computes in float16."""
    checks = artifact.manifest.checks
    return max(TOLERANCE, checks.off_tolerance) if checks else TOLERANCE


def _prove_off(artifact: Artifact, sampler: Sampler, rows: Rows, off: Rows) -> float:
    engine = Engine(artifact.content, sampler.providers)
    wanted = engine.run({**rows, TRAINING_INPUT: np.array(False)})
    difference = max(_difference(off[name], wanted[name]) for name in wanted)
    allowed = _tolerance(artifact)
    if not difference <= allowed:
        raise ProofError(
            f"with dropout off the plan differs from the artifact by {difference:.1e} of the "
            f"output's scale; {allowed:.0e} is allowed."
        )
    return difference


def _prove_passes_apart(artifact: Artifact, sampler: Sampler, rows: Rows) -> float:
    draws = sampler.draw(rows, passes=3, seed=1)
    together = sampler.run(rows, draws)
    difference = 0.0
    for index in range(3):
        row = {name: x[index : index + 1] for name, x in rows.items()}
        alone = sampler.run(row, [site[index : index + 1] for site in draws])
        for name, samples in together.items():
            difference = max(difference, _difference(alone[name][0, 0], samples[index, index]))
    if not difference <= _tolerance(artifact):
        raise ProofError(
            f"a row's answer changes by {difference:.1e} of its scale with the other rows and "
            "passes of the same call, so the model mixes rows of its batch and cannot be sampled "
            "in one."
        )
    return difference


def _prove_alive(sampler: Sampler, rows: Rows) -> dict[str, dict[str, float]]:
    """Largest change of each output when one site draws something else: site to output to it."""
    effects = {}
    still = sampler.run(rows, sampler.neutral(rows, passes=1))
    for index, site in enumerate(sampler.sites):
        for number in _OTHER[site.kind]:
            draws = sampler.neutral(rows, passes=1)
            draws[index] = np.full_like(draws[index], number)
            moved = sampler.run(rows, draws)
            effects[site.name] = {
                name: float(np.max(np.abs(moved[name] - y), initial=0.0))
                for name, y in still.items()
            }
            if max(effects[site.name].values()) > 0.0:
                break
        else:
            raise ProofError(
                f"the draws of layer {site.layer!r} do not reach any output: others change nothing."
            )
    return effects


#: Draws far from the neutral ones, tried until one shows. A large one shows a
#: branch too faint for float32 beside the others; a uniform is often compared with
#: a rate, on either side.
_OTHER = {
    "dropout": (0.0, 1e3),
    "spatial_dropout": (0.0, 1e3),
    "uniform": (0.0, 0.999),
    "normal": (2.0, 1e3),
}


def _observe(index: int, site: SiteSpec) -> Array:
    return draw(site.kind, site.rate, 1, index, range(_DRAWS // 64), (64,), "float32")


def _prove_rates(sampler: Sampler) -> dict[str, float]:
    rates = {}
    for index, site in enumerate(sampler.sites):
        if site.rate is None:
            continue
        rates[site.name] = float((_observe(index, site) == 0).mean())
        q = quantised_rate(site.rate)
        if abs(rates[site.name] - q) > _SIGMAS * math.sqrt(q * (1 - q) / _DRAWS):
            raise ProofError(
                f"the dropout of layer {site.layer!r} has rate {site.rate:g} and drops "
                f"{rates[site.name]:.4f}."
            )
    return rates


def _prove_noise(sampler: Sampler) -> dict[str, tuple[float, float]]:
    noise = {}
    for index, site in enumerate(sampler.sites):
        if site.rate is not None:
            continue
        numbers = _observe(index, site).astype(np.float64)
        noise[site.name] = float(numbers.mean()), float(numbers.std())
        mean, std = (0.5, math.sqrt(1 / 12)) if site.kind == "uniform" else (0.0, 1.0)
        error = _SIGMAS * std / math.sqrt(_DRAWS)  # more than six errors of the deviation, too
        if abs(noise[site.name][0] - mean) > error or abs(noise[site.name][1] - std) > error:
            raise ProofError(
                f"layer {site.layer!r} draws {site.kind} numbers of mean and deviation "
                f"{noise[site.name]}, not {(mean, std)}."
            )
    return noise


def _prove_spread_and_replay(
    artifact: Artifact, sampler: Sampler, rows: Rows, effects: dict[str, dict[str, float]]
) -> dict[str, float]:
    draws = sampler.draw(rows, PASSES, seed=1)
    first = sampler.run(rows, draws)
    again, other = (sampler.sample(rows, PASSES, seed) for seed in (1, 2))
    spread = {}
    for output in artifact.manifest.outputs:
        name, samples = output.name, first[output.name]
        spread[name] = float(samples.astype(np.float64).std(axis=1).max())
        if not np.array_equal(samples, again[name]):
            raise ProofError(f"output {name!r} differs between two runs of one seed.")
        if not output.stochastic or _expected_changes(sampler, draws, effects, name) < 20.0:
            continue
        if spread[name] == 0.0:
            raise ProofError(f"output {name!r} is the same in all of {PASSES} passes.")
        if np.array_equal(samples, other[name]):
            raise ProofError(f"output {name!r} is the same for two different seeds.")
    return spread


def _expected_changes(
    sampler: Sampler, draws: list[Array], effects: dict[str, dict[str, float]], output: str
) -> float:
    """How many draws unlike the neutral one should have reached an output.

    Where that is 20 or more, none did by chance once in 5e8. A small layer of a
    small rate has fewer, and that its draws reach the output is shown already.
    """
    return sum(
        drawn.size * (1.0 if site.rate is None else min(site.rate, 1 - site.rate))
        for site, drawn in zip(sampler.sites, draws, strict=True)
        if effects[site.name][output] > 0.0
    )


def _difference(found: Array, wanted: Array) -> float:
    """max |found - wanted| / max |wanted|; NaN counts as infinite."""
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    scale = float(np.max(np.abs(b), initial=0.0)) or 1.0
    difference = float(np.max(np.abs(a - b), initial=0.0)) / scale
    return math.inf if math.isnan(difference) else difference
