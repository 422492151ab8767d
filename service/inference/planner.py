"""Finds the fastest layout for sampling a model that passes verification.

The plan of a graph relies on assumptions that the graph cannot confirm, above all that axis 0 of
the values at the cut is the batch. So each layout is tried on real rows, and verification
decides; a layout with wrong numbers is never used.
"""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from service.errors import LayoutError, ModelError, ProofError
from service.graph.artifact import Artifact
from service.graph.costs import costs
from service.graph.place import Place, declared_place, draw_input, observed_place
from service.graph.plan import Layout, compile_plan, serialize
from service.graph.site_shapes import site_shapes
from service.inference.inner_masks import InnerMasks, inner_masks
from service.inference.runner import Draws, Rows, Runner, row_count
from service.inference.sampler import Sampler
from service.inference.sizes import Measure, Sizes, Sizing
from service.inference.speed import Step
from service.inference.trials import ROWS, trial_rows, trial_shape
from service.inference.verification import PASSES, Verification, verify
from service.manifest import TRAINING_INPUT, SiteSpec
from service.protocol.datatypes import BY_DTYPE
from service.runtime.engine import CPU, Engine, Provider, tuning_of
from service.runtime.memory import mib, require_memory
from service.runtime.tuning import ON_CPU

#: Each attempt moves the cut up by at least one node; typical models need one to three.
_MAX_TRIES = 20
#: Maximum bytes that planning and verification take per byte of the graph, in addition to what
#: reading it has left (see `service.graph.model_file`).
_PLAN_FACTOR = 10
#: Maximum bytes that verification takes per byte of its samples; some are float64.
_VERIFICATION_FACTOR = 9
#: Trial rows are drawn in float64.
_DRAWN = 8
#: Seconds for measuring the speed of rows, and of passes.
_TRIED, _MAX_TRIED = 0.02, 0.25

log = logging.getLogger("mcdropout")


class PlanReport(BaseModel):
    """How a model is sampled, and the resulting savings."""

    layout: Layout = Field(
        description="split: what lies before the first draw runs once, the rest for all passes; "
        "tiled: everything runs for all passes; by_pass: as split, one pass at a time; serial: "
        "everything, one pass at a time"
    )
    rejected: dict[Layout, str] = Field(description="faster layouts, and why they were rejected")
    frontier: list[str] = Field(description="tensors at which the graph is split")
    trunk_share: float | None = Field(
        description="share of a pass's multiply-adds that lie before the first draw and are saved"
    )
    speedup_limit: float | None = Field(
        description="maximum speed-up of the split, for the default number of passes"
    )
    floor_ratio: float | None = Field(
        description="estimate, for one row and the default passes: time against that of trunk "
        "and tail without draws"
    )
    head_share: float | None = Field(
        description="estimated share of the time of a pass that the last site and all behind it "
        "take; null if a pass can have only one mask of it"
    )
    bytes_per_sample: int = Field(description="memory that one row of one pass takes")
    bytes_per_row: int = Field(description="memory that one row takes before the first draw")
    samples_per_chunk: int = Field(description="samples (rows x passes) that run at a time")
    rows_at_a_time: int = Field(description="maximum rows that the trunk runs at a time")
    seconds: float = Field(description="time to compile and load the plan, without verification")
    inner: InnerMasks | None = Field(
        description="how many masks of the last site a pass should have; null if it can have one"
    )
    dead: list[str] = Field(description="dropout nodes of the file that are off and stay off")


@dataclass(frozen=True)
class Planned:
    """A verified model and its sampler.

    Attributes:
        sampler: ready to run.
        verification: results of the verification.
        report: how it is sampled.
    """

    sampler: Sampler
    verification: Verification
    report: PlanReport


def plan_model(artifact: Artifact, providers: Sequence[Provider], memory: int) -> Planned:
    """Compile a model, try layouts and verify them.

    Args:
        artifact: to be sampled.
        providers: ONNX Runtime execution providers, the preferred one first.
        memory: bytes that a call's passes may take at a time.

    Raises:
        ProofError: no layout passes verification.
        ModelError: ONNX Runtime cannot run it here.
    """
    if providers[0] == CPU:  # on a GPU, too little memory is an error and ends nothing
        _require_memory(artifact)
    rejected: dict[Layout, str] = {}
    for layout in Layout:
        try:
            started = time.perf_counter()
            runner = _runner(artifact, layout, providers)
            measure = Measure(runner, artifact.fixed_rows)
            report, sizes = _report(artifact, measure, memory, rejected)
            seconds = time.perf_counter() - started
            sampler = _sampler(artifact, measure, memory, sizes)
            verification = verify(artifact, sampler)
            rows, count = trial_rows(artifact), artifact.fixed_rows or 1
            found = {"seconds": seconds, "inner": inner_masks(sampler, rows, report.head_share)}
            _try_speed(sampler, {name: x[:count] for name, x in rows.items()})
            return Planned(sampler, verification, report.model_copy(update=found))
        except LayoutError as error:
            rejected[layout] = str(error)
    raise ProofError(next(iter(rejected.values())))


def _require_memory(artifact: Artifact) -> None:
    """Check, before anything runs, that planning and verification fit into memory.

    Raises:
        ModelError: they do not.
    """
    manifest, count = artifact.manifest, artifact.fixed_rows or ROWS
    feeds: dict[str, NDArray[Any]] = {
        spec.name: np.broadcast_to(
            np.zeros((), BY_DTYPE[spec.dtype].numpy), (count, *trial_shape(spec))
        )
        for spec in manifest.inputs
    }
    feeds[TRAINING_INPUT] = np.array(False)
    rows = _DRAWN * sum(x.size for x in feeds.values())
    try:
        rows += int(ON_CPU.memory_margin * costs(artifact.content, feeds).bytes)
    except Exception:  # onnx cannot infer the shapes
        log.debug("the shapes of %s are unknown", artifact.path, exc_info=True)
    each = sum(s.row_elements * np.dtype(s.dtype).itemsize for s in manifest.outputs)
    samples = _VERIFICATION_FACTOR * ROWS * PASSES * each
    weights = _PLAN_FACTOR * len(artifact.content)
    require_memory(
        weights + rows + samples,
        str(artifact.path),
        f"{mib(weights)} MiB for its weights, {mib(rows)} for {count} rows and "
        f"{mib(samples)} for the outputs of {PASSES} passes",
    )


def _report(
    artifact: Artifact, measure: Measure, memory: int, rejected: Mapping[Layout, str]
) -> tuple[PlanReport, Sizes]:
    rows, runner = trial_rows(artifact), measure.runner
    row, sample = measure.row(rows), measure.sample(rows)
    sizes = measure.sizes(memory, rows, row, sample)
    one = runner.frontier({name: x[: artifact.fixed_rows or 1] for name, x in rows.items()})
    trunk, tail = row.multiply_adds, sample.multiply_adds
    each = runner.tuning.draw_cost + runner.tuning.apply_cost
    drawn = {site: each * math.prod(s) for site, s in zip(runner.sites, one.shapes, strict=True)}
    passes, all_drawn, inner = artifact.manifest.passes, sum(drawn.values()), runner.plan.inner
    whole, floor = trunk + tail, trunk + passes * tail
    report = PlanReport(
        layout=runner.plan.layout,
        rejected=dict(rejected),
        frontier=list(runner.plan.cut.frontier),
        trunk_share=trunk / whole if whole else None,
        speedup_limit=passes * whole / floor if floor else None,
        floor_ratio=1 + passes * all_drawn / floor if floor else None,
        head_share=None if inner is None else (sample.behind + drawn[inner]) / (tail + all_drawn),
        bytes_per_sample=sizes.least,
        bytes_per_row=sizes.row,
        samples_per_chunk=sizes.samples,
        rows_at_a_time=sizes.rows,
        seconds=0.0,
        inner=None,
        dead=list(artifact.dead),
    )
    return report, sizes


def _sampler(artifact: Artifact, measure: Measure, memory: int, sizes: Sizes) -> Sampler:
    # Texts are of any length, too.
    dynamic = any(
        None in spec.shape[1:] or spec.dtype == "string" for spec in artifact.manifest.inputs
    )
    if not dynamic and sizes.least > memory:
        log.warning(
            "%s: one pass of one row takes about %d MiB, more than the %d that passes may take at "
            "a time (MCDROPOUT_MEMORY). It runs one at a time",
            *(artifact.path, mib(sizes.least), mib(memory)),
        )
    find = partial(measure.within, memory)
    loops = any(node.op_type == "Loop" for node in artifact.model.graph.all_nodes())
    return Sampler(measure.runner, Sizing(sizes, find, dynamic), artifact.fixed_rows, loops)


def _try_speed(sampler: Sampler, rows: Rows) -> None:
    """Measure the time of a row and of a pass before the first request."""
    sizes, count = sampler.sizing(rows), row_count(rows)
    frontier, end = sampler.runner.frontier(rows), time.perf_counter() + _TRIED
    for _ in range(10):
        started = time.perf_counter()
        frontier = sampler.runner.frontier(rows)
        now = time.perf_counter()
        sampler.speed.learn(Step(sizes, count, 0, count), now - started)
        if now > end:
            break
    passes, maximum, end = 1, sampler.tuning.trial_passes, time.perf_counter() + _MAX_TRIED
    while time.perf_counter() < end and not sampler.speed.sure:
        started = time.perf_counter()
        drawn = sampler.runner.draw(frontier, range(passes), Draws(seed=0))
        sampler.runner.run(frontier, drawn)
        sampler.speed.learn(Step(sizes, count, passes), time.perf_counter() - started)
        passes = min(4 * passes, sizes.passes(sizes.samples, count), maximum)


def _runner(artifact: Artifact, layout: Layout, providers: Sequence[Provider]) -> Runner:
    places, tuning = _places(artifact, layout, providers), tuning_of(providers)
    if not layout.cuts:
        return Runner(compile_plan(artifact, layout, places=places, tuning=tuning), providers)
    never: frozenset[str] = frozenset()
    for _ in range(_MAX_TRIES):
        runner = Runner(compile_plan(artifact, layout, never, places, tuning), providers)
        misplaced = _misplaced(runner, trial_rows(artifact))
        if not misplaced:
            return runner
        never |= misplaced
    raise LayoutError(f"no cut was found whose tensors have the batch on axis 0, beyond {never}.")


def _misplaced(runner: Runner, rows: Rows) -> frozenset[str]:
    """Values at the cut whose axis 0 does not grow with the rows, or another axis does."""
    try:
        two, three = (
            runner.cut_shapes({name: x[:count] for name, x in rows.items()}) for count in (2, 3)
        )
    except ModelError as error:
        raise LayoutError(f"its trunk accepts no other number of rows: {error}") from error
    return frozenset(
        name
        for name, shape in two.items()
        if not shape
        or not shape[0]
        or 3 * shape[0] != 2 * three[name][0]
        or shape[1:] != three[name][1:]
    )


def _places(
    artifact: Artifact, layout: Layout, providers: Sequence[Provider]
) -> dict[SiteSpec, Place]:
    """The place of each site: from the manifest, or by observation."""
    sites, fixed = artifact.manifest.sites, artifact.fixed_rows
    if artifact.manifest.checks is not None or (layout is Layout.SERIAL and fixed not in (None, 1)):
        return {site: declared_place(site) for site in sites}
    engine = Engine(serialize(site_shapes(artifact.model, artifact.manifest)), providers)
    lengths_vary = any(None in spec.shape[1:] for spec in artifact.manifest.inputs)
    if layout is Layout.SERIAL:
        (one,) = _site_shapes(engine, artifact, [1])
        return {s: Place(_vary(one[s.name], lengths_vary), merged=True) for s in sites}
    try:
        two, three = _site_shapes(engine, artifact, [2, 3])
    except ModelError as error:
        raise LayoutError(f"it accepts no other number of rows: {error}") from error
    places = {}
    for site in sites:
        place = observed_place(two[site.name], three[site.name])
        if place is None:
            raise LayoutError(
                f"site {site.name!r} has shape {two[site.name]} for two rows and "
                f"{three[site.name]} for three, so its rows cannot be distinguished."
            )
        places[site] = replace(place, row=_vary(place.row, lengths_vary))
    return places


def _site_shapes(
    engine: Engine, artifact: Artifact, counts: Sequence[int]
) -> list[dict[str, tuple[int, ...]]]:
    """Shapes of the sites' tensors for so many rows, by name of the site."""
    found = []
    for count in counts:
        feeds = {name: x[:count] for name, x in trial_rows(artifact).items()}
        feeds[TRAINING_INPUT] = np.array(False)
        shapes = engine.run({k: x for k, x in feeds.items() if k in engine.inputs})
        found.append(
            {s.name: tuple(shapes[draw_input(s)].tolist()) for s in artifact.manifest.sites}
        )
    return found


def _vary(row: Sequence[int | None], lengths_vary: bool) -> tuple[int | None, ...]:
    """A draw's observed shape, unless inputs have dynamic axes other than the batch."""
    return (None,) * len(row) if lengths_vary else tuple(row)
