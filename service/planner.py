"""Find the fastest way to sample a model that its proof bears out.

The plan of a graph rests on what cannot be read off it with certainty, above all
that axis 0 of what it cuts is the batch. So each way is tried on real rows, and
the proof decides; wrong numbers are never a way.
"""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from service.engine import CPU, Engine, Provider
from service.errors import LayoutError, ModelError, ProofError
from service.graph.artifact import Artifact
from service.graph.costs import Costs, costs
from service.graph.plan import Layout, compile_plan, serialise
from service.graph.site_shapes import site_shapes
from service.graph.sites_as_inputs import Place, declared_place, draw_input, observed_place
from service.manifest import TRAINING_INPUT, OutputSpec, SiteSpec
from service.memory import mib, require_memory
from service.proof import PASSES, ROWS, Proof, prove, trial_rows, trial_shape
from service.runner import Frontier, Rows, Runner
from service.sampler import Sampler

#: Each try moves the cut up by a node or more; models in use need one to three.
_MOST_TRIES = 20
#: ONNX Runtime's arena keeps more than is alive.
_MEMORY_MARGIN = 2.0
#: Bytes that planning and proof take at the most for a byte of the graph, beside what
#: reading it left (see `service.graph.model_file`).
_PLAN_FACTOR = 10
#: Bytes that the proof takes at the most for a byte of its samples; some are float64 for it.
_PROOF_FACTOR = 9
#: Trial rows are drawn in float64.
_DRAWN = 8
#: More samples at a time gain nothing, and leave the cache.
_MOST_SAMPLES = 4096
#: Passes more, to see what one costs.
_MORE = 8
#: What drawing an element of a mask and multiplying by it take, in multiply-adds of a
#: matrix product (on two cores of an x86 server: 0.28 and 0.2 ns, against 97 a ns).
_DRAW, _APPLY = 27, 19

log = logging.getLogger("mcdropout")


class PlanReport(BaseModel):
    """How a model is sampled, and what that saves."""

    layout: Layout = Field(
        description="split: what lies before the first draw runs once, the rest for all passes; "
        "tiled: everything runs for all passes; by_pass: as split, one pass at a time; serial: "
        "everything, one pass at a time"
    )
    rejected: dict[Layout, str] = Field(description="faster layouts, and why they do not suit")
    frontier: list[str] = Field(description="tensors at which the graph is split")
    trunk_share: float | None = Field(
        description="share of a pass's multiply-adds that lie before the first draw and are saved"
    )
    speedup_limit: float | None = Field(
        description="most that the split can gain over whole passes, at the default passes"
    )
    floor_ratio: float | None = Field(
        description="estimate, for one row and the default passes: time against that of trunk "
        "and tail without draws"
    )
    bytes_per_sample: int = Field(description="memory that one row of one pass takes")
    samples_per_chunk: int = Field(description="rows x passes that run at a time")
    rows_at_a_time: int = Field(description="most rows that the trunk runs for at a time")
    seconds: float = Field(description="that compiling and loading the plan took, proof excluded")
    dead: list[str] = Field(description="dropouts of the file that are off and stay so")


@dataclass(frozen=True)
class Planned:
    """A model with the way to sample it.

    Attributes:
        sampler: ready.
        proof: what was seen of it.
        report: how it is sampled.
    """

    sampler: Sampler
    proof: Proof
    report: PlanReport


def plan_model(artifact: Artifact, providers: Sequence[Provider], memory: int) -> Planned:
    """Compile, try and prove.

    Args:
        artifact: to be sampled.
        providers: ONNX Runtime execution providers, the preferred one first.
        memory: bytes that a call's passes may take at a time.

    Raises:
        ProofError: a claim of the proof does not hold, whatever the layout.
        ModelError: ONNX Runtime cannot run it here.
    """
    if providers[0] == CPU:  # on a GPU, too little memory is an error and ends nothing
        _require_memory(artifact)
    rejected: dict[Layout, str] = {}
    for layout in Layout:
        try:
            started = time.perf_counter()
            runner = _runner(artifact, layout, providers)
            report = _report(artifact, runner, memory, rejected)
            seconds = time.perf_counter() - started
            sampler = Sampler(
                runner, report.samples_per_chunk, report.rows_at_a_time, artifact.fixed_rows
            )
            proof = prove(artifact, sampler)
            return Planned(sampler, proof, report.model_copy(update={"seconds": seconds}))
        except LayoutError as error:
            rejected[layout] = str(error)
    raise ProofError(next(iter(rejected.values())))


def _require_memory(artifact: Artifact) -> None:
    """Check, before anything runs, that there is memory for what planning and proof run.

    Raises:
        ModelError: there is not.
    """
    manifest, count = artifact.manifest, artifact.fixed_rows or ROWS
    feeds: dict[str, NDArray[Any]] = {
        spec.name: np.broadcast_to(np.zeros((), spec.dtype), (count, *trial_shape(spec)))
        for spec in manifest.inputs
    }
    feeds[TRAINING_INPUT] = np.array(False)
    rows = _DRAWN * sum(x.size for x in feeds.values())
    try:
        rows += int(_MEMORY_MARGIN * costs(artifact.content, feeds).bytes)
    except Exception:  # onnx cannot tell the shapes, and raises errors of its own
        log.debug("the shapes of %s are unknown", artifact.path, exc_info=True)
    samples = _PROOF_FACTOR * ROWS * PASSES * sum(_bytes(spec) for spec in manifest.outputs)
    weights = _PLAN_FACTOR * len(artifact.content)
    require_memory(
        weights + rows + samples,
        str(artifact.path),
        f"{mib(weights)} MiB for its weights, {mib(rows)} for {count} rows and "
        f"{mib(samples)} for the outputs of {PASSES} passes",
    )


def _bytes(spec: OutputSpec) -> int:
    """Of one row of an output, as far as the model tells its shape."""
    return math.prod(size or 1 for size in spec.shape[1:]) * np.dtype(spec.dtype).itemsize


def _report(
    artifact: Artifact, runner: Runner, memory: int, rejected: Mapping[Layout, str]
) -> PlanReport:
    rows, layout, fewest = trial_rows(artifact), runner.plan.layout, artifact.fixed_rows or 1
    few = _tail_costs(runner, rows, fewest, 1)
    tail, each = few.multiply_adds, few.bytes
    if not layout.one_pass:
        more = _tail_costs(runner, rows, fewest, 1 + _MORE)
        tail, each = ((b - a) // _MORE for a, b in zip(few, more, strict=True))
    # A draw for all rows is made once for each pass, and not for each row of it.
    by_rows = layout is Layout.BY_PASS
    row_bytes = _tail_costs(runner, rows, 2, 1).bytes - few.bytes if by_rows else each
    trunk, trunk_bytes = 0, 1
    if runner.plan.trunk:
        before = costs(runner.plan.trunk, {**rows, TRAINING_INPUT: np.array(False)})
        trunk, trunk_bytes = before.multiply_adds // ROWS, max(before.bytes // ROWS, 1)
    one = _frontier(runner, rows, fewest)
    elements = sum(math.prod(shape) for shape in one.shapes)
    passes = artifact.manifest.passes
    whole, floor = trunk + tail, trunk + passes * tail
    each = max(each, 1)
    budget = memory / _MEMORY_MARGIN
    return PlanReport(
        layout=runner.plan.layout,
        rejected=dict(rejected),
        frontier=list(runner.plan.cut.frontier),
        trunk_share=trunk / whole if whole else None,
        speedup_limit=passes * whole / floor if floor else None,
        floor_ratio=1 + passes * (_DRAW + _APPLY) * elements / floor if floor else None,
        bytes_per_sample=each,
        samples_per_chunk=max(1, min(int(budget / each), _MOST_SAMPLES)),
        rows_at_a_time=max(1, min(int(budget / max(row_bytes, trunk_bytes)), _MOST_SAMPLES)),
        seconds=0.0,
        dead=list(artifact.dead),
    )


def _tail_costs(runner: Runner, rows: Rows, count: int, passes: int) -> Costs:
    frontier = _frontier(runner, rows, count)
    return costs(runner.plan.tail, runner.arrays(frontier, runner.neutral(frontier, passes)))


def _frontier(runner: Runner, rows: Rows, count: int) -> Frontier:
    return runner.frontier({name: x[:count] for name, x in rows.items()})


def _runner(artifact: Artifact, layout: Layout, providers: Sequence[Provider]) -> Runner:
    places = _places(artifact, layout, providers)
    if not layout.cuts:
        return Runner(compile_plan(artifact, layout, places=places), providers)
    never: frozenset[str] = frozenset()
    for _ in range(_MOST_TRIES):
        runner = Runner(compile_plan(artifact, layout, never, places), providers)
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
        raise LayoutError(f"its trunk takes no other number of rows: {error}") from error
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
    """Where each site lies: as our exporter says, or as is seen."""
    sites, fixed = artifact.manifest.sites, artifact.fixed_rows
    if artifact.manifest.checks is not None or (layout is Layout.SERIAL and fixed not in (None, 1)):
        return {site: declared_place(site) for site in sites}
    engine = Engine(serialise(site_shapes(artifact.model, artifact.manifest)), providers)
    lengths_vary = any(None in spec.shape[1:] for spec in artifact.manifest.inputs)
    if layout is Layout.SERIAL:
        (one,) = _site_shapes(engine, artifact, [1])
        return {s: Place(_vary(one[s.name], lengths_vary), merged=True) for s in sites}
    try:
        two, three = _site_shapes(engine, artifact, [2, 3])
    except ModelError as error:
        raise LayoutError(f"it takes no other number of rows: {error}") from error
    places = {}
    for site in sites:
        place = observed_place(two[site.name], three[site.name])
        if place is None:
            raise LayoutError(
                f"site {site.name!r} has shape {two[site.name]} for two rows and "
                f"{three[site.name]} for three, so its rows cannot be told apart."
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
    """A draw's shape: as seen, unless the model's inputs have dynamic axes beside the batch."""
    return (None,) * len(row) if lengths_vary else tuple(row)
