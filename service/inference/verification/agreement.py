"""Verify that the plan computes the artifact, and that a row of a pass depends on no other."""

from collections.abc import Sequence

import numpy as np

from service.core.distributions import SiteDraw
from service.core.rounding import (
    Difference,
    allowed,
    difference,
    neighbor,
    share_of,
    worst,
)
from service.core.tolerances import LEAST, LEAST_OF_HALF, NEIGHBORS
from service.errors import LayoutError
from service.graph.artifact import Artifact
from service.inference.runner import Draws, Frontier, Rows
from service.inference.sampler import Sampler
from service.inference.trials import ROWS
from service.manifest import TRAINING_INPUT
from service.runtime.engine import Engine

#: Masks of the inner site in a pass that is tried.
_INNER = 3


def difference_off(artifact: Artifact, sampler: Sampler, rows: Rows) -> float | None:
    """Relative difference of the plan with neutral draws from the artifact with `training=false`.

    None if the artifact has no such output.

    Raises:
        LayoutError: the difference is more than rounding.
    """
    if not artifact.has_off:
        return None
    engine = Engine(artifact.content, sampler.runner.providers)
    off, wanted = sampler.deterministic(rows), _off(artifact, engine, rows)
    others = [_off(artifact, engine, _neighbors(rows, seed)) for seed in range(NEIGHBORS)]
    found = _worst(artifact, off, wanted, others)
    if not found.is_rounding:
        raise LayoutError(
            f"with dropout off the plan differs from the artifact by {found.found:.1e} of the "
            f"output's scale; {found.allowed:.0e} is allowed."
        )
    return found.found


def difference_among_passes(artifact: Artifact, sampler: Sampler, rows: Rows) -> float:
    """Relative difference of one row of one pass alone from the same row in a batch.

    Raises:
        LayoutError: the difference is more than rounding.
    """
    together, seen = sampler.sample(rows, 3, Draws(seed=1), apart=True), []
    for index in range(3):
        row = {name: x[index : index + 1] for name, x in rows.items()}
        # Alone: together with earlier passes, it could use the same draw of theirs in both runs.
        alone, *others = (
            {name: y[0] for name, y in sampler.sample(x, 1, Draws(seed=1), first=index).items()}
            for x in (row, *(_neighbors(row, seed) for seed in range(NEIGHBORS)))
        )
        among = {name: y[index, index : index + 1] for name, y in together.items()}
        seen.append(_worst(artifact, among, alone, others))
    found = worst(seen)
    if not found.is_rounding:
        raise LayoutError(
            f"a row's answer changes by {found.found:.1e} of its scale with the other rows and "
            "passes of the same call, so the model mixes the rows of its batch, and its rows "
            "cannot be batched."
        )
    return found.found


def difference_of_inner(artifact: Artifact, sampler: Sampler, rows: Rows) -> float | None:
    """Relative difference of passes with several masks of the inner site from as many passes.

    Of these passes, as many as have masks in one pass have the same draws of all other sites.
    None if the plan has no inner site.

    Raises:
        LayoutError: the difference is more than rounding.
    """
    runner, site = sampler.runner, sampler.plan.inner
    if site is None:
        return None
    block = sampler.first_block(rows)
    drawn = runner.draw(block, range(3), Draws(seed=1, inner=_INNER))
    repeated = [
        one if other is site else SiteDraw(one.numbers.repeat(_INNER, axis=0), one.scale)
        for other, one in zip(sampler.sites, drawn, strict=True)
    ]

    def samples(of: Frontier, draws: Sequence[SiteDraw]) -> Rows:
        return {name: y.reshape(-1, *y.shape[2:]) for name, y in runner.run(of, draws).items()}

    nested, alone = samples(block, drawn), samples(block, repeated)
    found = _worst(artifact, nested, alone, [])
    if not found.is_rounding:  # only then it matters how far rounding moves the outputs
        near = (sampler.first_block(_neighbors(rows, seed)) for seed in range(NEIGHBORS))
        found = _worst(artifact, nested, alone, [samples(of, repeated) for of in near])
    if not found.is_rounding:
        raise LayoutError(
            f"{_INNER} masks of site {site.name!r} in one pass differ from {_INNER} passes by "
            f"{found.found:.1e} of the output's scale; {found.allowed:.0e} is allowed."
        )
    return found.found


def _neighbors(rows: Rows, seed: int) -> Rows:
    return {name: neighbor(x, seed) for name, x in rows.items()}


def _worst(artifact: Artifact, found: Rows, wanted: Rows, others: Sequence[Rows]) -> Difference:
    """The difference of (B, …) outputs from `wanted`, which rounding changes to `others`."""
    least = _least(artifact)
    limits = {
        name: allowed(y, [other[name] for other in others], least) for name, y in wanted.items()
    }
    return worst([difference(found[name], y, limits[name]) for name, y in wanted.items()])


def _least(artifact: Artifact) -> float:
    """Share of a row's largest output that counts as rounding (see `service.core.rounding`).

    It is that of the export's check; without one, it is larger if something is float16.
    """
    manifest = artifact.manifest
    if manifest.checks:
        return max(LEAST, share_of(manifest.checks.off_tolerance))
    kinds = {spec.dtype for spec in manifest.outputs} | {site.dtype for site in manifest.sites}
    return LEAST_OF_HALF if "float16" in kinds else LEAST


def _off(artifact: Artifact, engine: Engine, rows: Rows) -> Rows:
    """The artifact's own output with dropout off, with as many rows per run as it takes."""
    feeds = {name: x for name, x in rows.items() if name in engine.inputs}
    if TRAINING_INPUT in engine.inputs:
        feeds[TRAINING_INPUT] = np.array(False)
    size = artifact.fixed_rows or ROWS
    parts = []
    for first in range(0, ROWS, size):
        index = np.arange(first, first + size) % ROWS
        parts.append(engine.run({k: x[index] if x.ndim else x for k, x in feeds.items()}))
    return {name: np.concatenate([part[name] for part in parts])[:ROWS] for name in parts[0]}
