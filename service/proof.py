"""The proof a model gives before it serves: that its uncertainty is alive, here and now.

Monte Carlo dropout fails in silence: a mask that was frozen or optimised away
still gives answers, with a variance of 0 or a wrong one. So each load, on the
machine and provider that will serve, shows

1. off: with draws that change nothing the plan gives the artifact's
   `training=false` output, where it has such an output;
2. passes apart: one row of one pass gives the same alone as among others, and no
   pass gets what a site draws in another;
3. alive: other draws of one site change the output, for each site;
4. rates: each site's masks drop as often as its rate says, its noise has its mean
   and spread;
5. replay: the same seed gives the same samples;
6. variety: each site draws differently in another pass, and by another seed.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from service.core.draws import draw
from service.core.masks import quantised_rate
from service.core.rounding import (
    LEAST,
    LEAST_OF_HALF,
    NEIGHBOURS,
    Difference,
    allowed,
    difference,
    neighbour,
    share_of,
    worst,
)
from service.engine import Engine
from service.errors import LayoutError, ModelError, ProofError
from service.graph.artifact import Artifact
from service.manifest import TRAINING_INPUT, SiteSpec
from service.runner import Draws, Rows, SiteDraw
from service.sampler import Sampler
from service.trials import ROWS, trial_rows

Array = NDArray[Any]

PASSES = 16
#: Share of the largest output from which on the effect of a draw is no rounding.
_SEEN = 1e-3
#: Decisions drawn for each site, and standard errors that its rate may be off
#: (by chance once in 5e8 loads).
_DRAWS, _SIGMAS = 1 << 16, 6.0


class Proof(BaseModel):
    """What was seen when the model was loaded."""

    off_difference: float | None = Field(
        description="plan against artifact with dropout off, relative; null where it is never off"
    )
    pass_difference: float = Field(description="a pass alone against among others, relative")
    site_effects: dict[str, float] = Field(
        description="largest change of an output when the site draws something else; 0 where that "
        "cannot be, whatever the rows, as of a dropout on a state of zeros"
    )
    drop_rates: dict[str, float] = Field(description="observed share of dropped elements")
    noise: dict[str, tuple[float, float]] = Field(
        description="observed mean and standard deviation of noise"
    )
    spread: dict[str, float] = Field(description="largest standard deviation over passes")


def prove(artifact: Artifact, sampler: Sampler) -> Proof:
    """Prove that `sampler` samples `artifact`.

    Raises:
        LayoutError: the plan's layout does not suit the model; another may.
        ProofError: naming the first claim that does not hold.
    """
    rows = trial_rows(artifact)
    try:
        first = _prove_replay(sampler, rows)
        off_difference = _prove_off(artifact, sampler, rows)
        pass_difference = _prove_passes_apart(artifact, sampler, rows)
    except ProofError:
        raise
    except ModelError as error:  # the runtime refused the graph, or its shapes
        raise LayoutError(f"the plan cannot run: {error}") from error
    effects = _prove_alive(sampler, rows)
    _prove_variety(sampler, rows)
    return Proof(
        off_difference=off_difference,
        pass_difference=pass_difference,
        site_effects={site: max(by_output.values()) for site, by_output in effects.items()},
        drop_rates=_prove_rates(sampler),
        noise=_prove_noise(sampler),
        spread={name: _spread(samples) for name, samples in first.items()},
    )


def _least(artifact: Artifact) -> float:
    """Share of a row's largest output that counts as rounding (see `service.core.rounding`).

    What the export was checked to; by default, more where something is float16.
    """
    manifest = artifact.manifest
    if manifest.checks:
        return max(LEAST, share_of(manifest.checks.off_tolerance))
    kinds = {spec.dtype for spec in manifest.outputs} | {site.dtype for site in manifest.sites}
    return LEAST_OF_HALF if "float16" in kinds else LEAST


def _prove_off(artifact: Artifact, sampler: Sampler, rows: Rows) -> float | None:
    if not artifact.has_off:
        return None
    engine = Engine(artifact.content, sampler.runner.providers)
    off, wanted = sampler.deterministic(rows), _off(artifact, engine, rows)
    others = [_off(artifact, engine, _neighbours(rows, seed)) for seed in range(NEIGHBOURS)]
    found = _worst(artifact, off, wanted, others)
    if not found.is_rounding:
        raise LayoutError(
            f"with dropout off the plan differs from the artifact by {found.found:.1e} of the "
            f"output's scale; {found.allowed:.0e} is allowed."
        )
    return found.found


def _neighbours(rows: Rows, seed: int) -> Rows:
    return {name: neighbour(x, seed) for name, x in rows.items()}


def _worst(artifact: Artifact, found: Rows, wanted: Rows, others: Sequence[Rows]) -> Difference:
    """The difference of (B, …) outputs from `wanted`, which moves to `others` by rounding."""
    least = _least(artifact)
    limits = {
        name: allowed(y, [other[name] for other in others], least) for name, y in wanted.items()
    }
    return worst([difference(found[name], y, limits[name]) for name, y in wanted.items()])


def _off(artifact: Artifact, engine: Engine, rows: Rows) -> Rows:
    """The artifact's own output with dropout off, by as many rows at a time as it takes."""
    feeds = {name: x for name, x in rows.items() if name in engine.inputs}
    if TRAINING_INPUT in engine.inputs:
        feeds[TRAINING_INPUT] = np.array(False)
    size = artifact.fixed_rows or ROWS
    parts = []
    for first in range(0, ROWS, size):
        index = np.arange(first, first + size) % ROWS
        parts.append(engine.run({k: x[index] if x.ndim else x for k, x in feeds.items()}))
    return {name: np.concatenate([part[name] for part in parts])[:ROWS] for name in parts[0]}


def _prove_passes_apart(artifact: Artifact, sampler: Sampler, rows: Rows) -> float:
    together, seen = sampler.sample(rows, 3, Draws(seed=1), apart=True), []
    for index in range(3):
        row = {name: x[index : index + 1] for name, x in rows.items()}
        # By itself: beside earlier passes it might take a draw of theirs here as there.
        alone, *others = (
            {name: y[0] for name, y in sampler.sample(x, 1, Draws(seed=1), first=index).items()}
            for x in (row, *(_neighbours(row, seed) for seed in range(NEIGHBOURS)))
        )
        among = {name: y[index, index : index + 1] for name, y in together.items()}
        seen.append(_worst(artifact, among, alone, others))
    found = worst(seen)
    if not found.is_rounding:
        raise LayoutError(
            f"a row's answer changes by {found.found:.1e} of its scale with the other rows and "
            "passes of the same call, so the model mixes rows of its batch and cannot be sampled "
            "in one."
        )
    return found.found


def _prove_alive(sampler: Sampler, rows: Rows) -> dict[str, dict[str, float]]:
    """Largest change of each output when one site draws something else: site to output to it."""
    runner, block = sampler.runner, sampler.first_block(rows)
    # Beside draws that change nothing, others: a uniform at its middle may be a mask that
    # drops all, and hides what comes after it; and so may most of its draws be.
    neutral = runner.neutral(block, passes=1)
    baselines = [neutral]
    baselines += [runner.draw(block, range(p, p + 1), Draws(seed=1)) for p in range(3)]
    baselines += [_uniforms_at(sampler.sites, neutral, end) for end in _OTHER["uniform"]]
    effects = {}
    for index, site in enumerate(sampler.sites):
        for baseline, other in itertools.product(baselines, _OTHER[site.kind]):
            pair = [_with(baseline, index, draw) for draw in _two(site, baseline[index], other)]
            one, two = (runner.run(block, draws) for draws in pair)
            effects[site.name] = {name: _change(one[name], two[name]) for name in one}
            if max(effects[site.name].values()) > 0.0:
                both = runner.run(block, [_after(*draws) for draws in zip(*pair, strict=True)])
                _require_own_draws(site, both, (one, two))
                break
        else:
            own = [baseline[index] for baseline in baselines]
            own += [drawn for other in _OTHER[site.kind] for drawn in _two(site, own[0], other)]
            first, *ends = runner.before_data(block, site, own)
            if not first or any(_change(end[name], y) for end in ends for name, y in first.items()):
                raise ProofError(
                    f"the draws of layer {site.layer!r} do not reach any output: others change "
                    "nothing."
                )
            effects[site.name] = dict.fromkeys(runner.plan.stochastic, 0.0)
    return effects


#: What a site draws in two passes that show its effect, tried until one does: of a
#: dropout what kept elements are multiplied by, for a large number shows a branch too
#: faint for float32 beside the others; of noise numbers far from the neutral ones, and
#: of a uniform, which is often compared with a rate, on either side.
_OTHER = {
    "dropout": (1.0, 1e3),
    "spatial_dropout": (1.0, 1e3),
    "uniform": (0.0, 0.999),
    "normal": (2.0, 1e3),
}


def _two(site: SiteSpec, base: SiteDraw, number: float) -> tuple[SiteDraw, SiteDraw]:
    """Two draws of a site, alike in their scale: of a dropout one keeps all, and one nothing."""
    if site.rate is None:
        return base, SiteDraw(np.full_like(base.numbers, number))
    ones = np.ones_like(base.numbers)
    return SiteDraw(ones, number), SiteDraw(0 * ones, number)


def _uniforms_at(sites: Sequence[SiteSpec], draws: list[SiteDraw], end: float) -> list[SiteDraw]:
    return [
        SiteDraw(np.full_like(draw.numbers, end)) if site.kind == "uniform" else draw
        for site, draw in zip(sites, draws, strict=True)
    ]


def _with(draws: list[SiteDraw], index: int, draw: SiteDraw) -> list[SiteDraw]:
    return [*draws[:index], draw, *draws[index + 1 :]]


def _after(one: SiteDraw, two: SiteDraw) -> SiteDraw:
    """The draws of two passes."""
    return SiteDraw(np.concatenate([one.numbers, two.numbers]), one.scale)


def _change(one: Array, two: Array) -> float:
    """Largest difference; NaN, as of a row of padding alone, tells nothing."""
    with np.errstate(invalid="ignore"):
        # In float64: bools have no difference, and those of unsigned numbers wrap.
        changes = np.abs(one.astype(np.float64) - two)
    return float(np.max(changes, initial=0.0, where=~np.isnan(changes)))


def _require_own_draws(site: SiteSpec, both: Rows, alone: tuple[Rows, Rows]) -> None:
    """Each of two passes gets its own draw of a site, as it does alone."""
    for name, one in alone[0].items():
        effect = _change(one, alone[1][name])
        moved = max(_change(both[name][index], y[name][0]) for index, y in enumerate(alone))
        # Rounding moves less than what was drawn, where that is more than rounding itself.
        if moved > 0.5 * effect and effect > _SEEN * _change(one, np.zeros_like(one)):
            raise LayoutError(
                f"a pass's answer changes by {moved:.1e} with what layer {site.layer!r} draws in "
                "other passes of the same call, as where the model takes one element of a draw "
                "for the whole batch."
            )


def _observe(index: int, site: SiteSpec) -> Array:
    passes, rows = range(_DRAWS // 64), range(1)
    return draw(site.kind, site.rate, 1, index, passes, rows, (64,), "float32")


def _prove_rates(sampler: Sampler) -> dict[str, float]:
    rates = {}
    for index, site in enumerate(sampler.sites):
        if site.rate is None:
            continue
        rates[site.name] = float((_observe(index, site) == 0).mean())
        q = quantised_rate(site.rate)
        # Bernstein's inequality: where few drop, a few more are no wonder.
        error = _SIGMAS * math.sqrt(q * (1 - q) / _DRAWS) + 12 / _DRAWS
        if abs(rates[site.name] - q) > error:
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


def _prove_replay(sampler: Sampler, rows: Rows) -> Rows:
    """Returns the samples of seed 1."""
    first, again = (sampler.sample(rows, PASSES, Draws(seed=1)) for _ in range(2))
    for name, samples in first.items():
        if not np.array_equal(samples, again[name], equal_nan=samples.dtype.kind == "f"):
            raise ProofError(f"output {name!r} differs between two runs of one seed.")
    return first


def _spread(samples: Array) -> float:
    """Largest standard deviation over passes of what is finite."""
    with np.errstate(invalid="ignore"):
        deviations = samples.astype(np.float64).std(axis=0)
    return float(np.max(deviations, initial=0.0, where=np.isfinite(deviations)))


def _prove_variety(sampler: Sampler, rows: Rows) -> None:
    """Each site draws differently by pass, and by seed.

    Looked at where it draws: an output may be the same in many passes, as behind a rare coin.
    """
    block = sampler.first_block(rows)
    first, other = (sampler.runner.draw(block, range(PASSES), Draws(seed)) for seed in (1, 2))
    for site, (one, _), (two, _) in zip(sampler.sites, first, other, strict=True):
        rate = 0.5 if site.rate is None else site.rate
        # Draws unlike the neutral one. Of 20 expected, none is there by chance once in
        # 5e8; a small layer of a small rate has fewer.
        if one.size * min(rate, 1 - rate) < 20.0:
            continue
        if np.array_equal(one, np.broadcast_to(one[:1], one.shape)):
            raise ProofError(f"layer {site.layer!r} draws the same in all of {PASSES} passes.")
        if np.array_equal(one, two):
            raise ProofError(f"layer {site.layer!r} draws the same for two different seeds.")
