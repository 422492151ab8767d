"""One run of a plan: the trunk for rows, the draws of passes, the tail for both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.distributions import BY_KIND, SiteDraw
from service.core.strata import BLOCK
from service.graph.idle import where_draws_meet_data
from service.graph.place import ROWS_INPUT, Place, draw_input, scale_input
from service.graph.plan import Plan
from service.graph.trunk import frontier_input, is_shape_input, shape_input
from service.manifest import TRAINING_INPUT, SiteSpec, is_dropout
from service.protocol.options import Masks, Sampling
from service.runtime.engine import Engine, Provider, as_array, size_of, tuning_of

Array = NDArray[Any]
Rows = Mapping[str, Array]  # input name to (B, …)


def row_count(rows: Rows) -> int:
    """B."""
    return len(next(iter(rows.values())))


#: Draws that all rows share use the position of row 0.
_SHARED = range(1)


@dataclass(frozen=True)
class Draws:
    """The options that determine the draws of a request.

    Attributes:
        seed: 0 ≤ seed < 2**64. The same seed gives the same draws.
        masks: whether the rows of a pass share their draws, so that a pass is one
            thinned network, or each row has its own, as in `model(x, training=True)`.
        rate_scale: multiplies every dropout rate.
        sites: names of the active sites; all others are off. None: all are active.
        sampling: whether passes are independent, or coupled in blocks (see `strata`).
        inner: J, draws of the plan's inner site in each pass: j of pass p is draw p·J + j.
        first_row: number of the first row, where the rows are a part of more: each draws what it
            would draw among all.
    """

    seed: int
    masks: Masks = "shared"
    rate_scale: float = 1.0
    sites: frozenset[str] | None = None
    sampling: Sampling = "independent"
    inner: int = 1
    first_row: int = 0

    @property
    def block(self) -> int:
        """Passes of a block; blocks are independent."""
        return BLOCK if self.sampling == "stratified" else 1


@dataclass(frozen=True)
class Frontier:
    """The trunk's outputs for rows, which are the same in all passes.

    Attributes:
        feeds: inputs of the tail.
        fixed: (B, …) outputs that no site reaches.
        shapes: shape of each site's draw for one row.
        rows: B.
        first: index of the first row in the request.
        engine: runs the passes.
        whole: whether that engine also runs the trunk.
    """

    engine: Engine
    feeds: Mapping[str, Any]
    fixed: Mapping[str, Array]
    shapes: Sequence[tuple[int, ...]]
    rows: int
    first: int = 0
    whole: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors."""
        return sum(map(size_of, self.feeds.values()))

    def take(self, index: Array) -> "Frontier":
        """The frontier of some of its rows, given by (R,) indices."""
        feeds = {}
        for name, value in self.feeds.items():
            array = as_array(value)
            # If time is merged into the batch, a row has several elements of axis 0.
            if is_shape_input(name):
                feeds[name] = np.concatenate([array[:1] // self.rows * len(index), array[1:]])
            else:
                rows = array.reshape(self.rows, -1, *array.shape[1:])[index]
                feeds[name] = rows.reshape(-1, *array.shape[1:])
        fixed = {name: y[index] for name, y in self.fixed.items()}
        return replace(self, feeds=feeds, fixed=fixed, rows=len(index))


class _Site:
    """Precomputed properties of a site."""

    def __init__(self, spec: SiteSpec, place: Place) -> None:
        self.name, self.rate = spec.name, spec.rate
        self.dtype = np.dtype(spec.dtype)
        self.distribution = BY_KIND[spec.kind]
        self.draw_input = draw_input(spec)
        self.scale_input = scale_input(spec) if is_dropout(spec) else None
        self.rows_apart = place.axis is not None


class Runner:
    """Runs a plan's graphs. Safe to use from several threads."""

    def __init__(self, plan: Plan, providers: Sequence[Provider]) -> None:
        """Load the graphs; `providers` are ONNX Runtime's, the preferred one first."""
        self.plan = plan
        self.tuning = tuning_of(providers)
        self.sites = plan.sites
        self._sites = [_Site(site, place) for site, place in plan.places.items()]
        #: The site that has a draw for each sample, whether or not a pass has several.
        self._counted = 0 if plan.inner is None else plan.sites.index(plan.inner)
        self._static = [tuple(size for size in place.row if size) for place in plan.places.values()]
        self._tail = Engine(plan.tail, providers)
        self._trunk = Engine(plan.trunk, providers) if plan.trunk else None
        self._whole = Engine(plan.whole, providers) if plan.whole else None
        self._shapes = Engine(plan.shapes, providers) if plan.shapes else None

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers that actually run."""
        return self._tail.providers

    def frontier(
        self, rows: Rows, first: int = 0, training: bool = True, once: bool = False
    ) -> Frontier:
        """Run the trunk.

        Args:
            rows: B of them.
            first: index of the first in its request.
            training: the training flag, for layers that are in the graph twice, on and off.
            once: whether the tail runs only once; the trunk may then run together with it.
        """
        count, shapes = row_count(rows), self._draw_shapes(rows)
        if once and self._whole is not None:
            taken = {name: x for name, x in rows.items() if name in self._whole.inputs}
            return Frontier(self._whole, taken, {}, shapes, count, first, whole=True)
        given = {name: x for name, x in rows.items() if name in self._tail.inputs}
        made: Mapping[str, Any] = {}
        if self._trunk is not None:
            feeds: dict[str, Array] = {k: x for k, x in rows.items() if k in self._trunk.inputs}
            if TRAINING_INPUT in self._trunk.inputs:
                feeds[TRAINING_INPUT] = np.array(training)
            made = self._trunk.hold(feeds)
        carried = {name: value for name, value in made.items() if name in self._tail.inputs}
        fixed = {name: as_array(made[name]) for name in self.plan.fixed}
        return Frontier(self._tail, given | carried, fixed, shapes, count, first)

    def cut_shapes(self, rows: Rows) -> dict[str, tuple[int, ...]]:
        """The trunk's outputs for some rows: name of a value at the cut to its shape.

        If the trunk gives the shape of a value instead of the value, that shape.
        """
        feeds = self.frontier(rows).feeds
        shapes = {
            name: tuple(as_array(feeds[frontier_input(name)]).shape)
            for name in self.plan.cut.frontier
            if frontier_input(name) in feeds
        }
        for name in (n for n in self.plan.cut.shapes if shape_input(n) in feeds):
            shapes[name] = tuple(as_array(feeds[shape_input(name)]).tolist())
        return shapes

    def draw(
        self,
        frontier: Frontier,
        passes: range,
        draws: Draws,
        own: Sequence[int] | None = None,
    ) -> list[SiteDraw]:
        """The draws of each site in `passes` for the rows `own` of a request; by default all."""
        found, samples = [], range(passes.start * draws.inner, passes.stop * draws.inner)
        if own is None:
            own = range(frontier.first, frontier.first + frontier.rows)
        for index, (site, shape) in enumerate(zip(self._sites, frontier.shapes, strict=True)):
            numbers = samples if index == self._counted else passes
            if draws.sites is not None and site.name not in draws.sites:
                found.append(site.distribution.still(len(numbers), shape, site.dtype))
                continue
            apart = draws.masks == "per_row" and site.rows_apart
            rows = [draws.first_row + row for row in own] if apart else _SHARED
            rate = None if site.rate is None else min(site.rate * draws.rate_scale, 1.0)
            drawn = site.distribution.draw(
                draws.seed,
                index,
                numbers,
                rows,
                shape,
                dtype=site.dtype,
                rate=rate,
                sampling=draws.sampling,
            )
            found.append(drawn)
        return found

    def neutral(self, frontier: Frontier, passes: int) -> list[SiteDraw]:
        """Neutral draws of each site."""
        return [
            site.distribution.still(passes, shape, site.dtype)
            for site, shape in zip(self._sites, frontier.shapes, strict=True)
        ]

    def stubs(self, frontier: Frontier, passes: int, inner: int = 1) -> dict[str, Array]:
        """The tail's inputs as arrays of the right shapes; those of draws take no memory."""
        draws = []
        for index, (site, shape) in enumerate(zip(self._sites, frontier.shapes, strict=True)):
            count = passes * inner if index == self._counted else passes
            number = site.distribution.still(1, (), site.dtype).numbers[0, 0]
            draws.append(SiteDraw(np.broadcast_to(number, (count, 1, *shape))))
        return {name: as_array(value) for name, value in self.feeds(frontier, draws).items()}

    def feeds(
        self, frontier: Frontier, draws: Sequence[SiteDraw], on: frozenset[str] | None = None
    ) -> dict[str, Any]:
        """The tail's inputs: name to tensor (see `run`)."""
        feeds = dict(frontier.feeds)
        for site, (numbers, scale) in zip(self._sites, draws, strict=True):
            feeds[site.draw_input] = numbers
            if site.scale_input:
                feeds[site.scale_input] = np.array(scale, site.dtype)
        if ROWS_INPUT in frontier.engine.inputs:
            feeds[ROWS_INPUT] = np.array([frontier.rows])
        for switch in self.plan.switches:
            feeds[switch.name] = np.array(on is None or not on.isdisjoint(switch.sites))
        if TRAINING_INPUT in frontier.engine.inputs:
            feeds[TRAINING_INPUT] = np.array(on is None or bool(on))
        return feeds

    def arrays(self, frontier: Frontier, draws: Sequence[SiteDraw]) -> dict[str, Array]:
        """The tail's inputs as arrays, wherever they lie."""
        return {name: as_array(value) for name, value in self.feeds(frontier, draws).items()}

    def run(
        self,
        frontier: Frontier,
        draws: Sequence[SiteDraw],
        on: frozenset[str] | None = None,
        outputs: Sequence[str] | None = None,
    ) -> dict[str, Array]:
        """Run the passes that `draws` describe.

        Args:
            frontier: of B rows.
            draws: of each site.
            on: names of the sites that draw; None: all. A layer with other noise than
                dropout is switched off where none of its sites does.
            outputs: what to get of the tail; by default its samples.

        Returns:
            Output name to (P·J, B, …) samples, J of each pass, or to (B, …) for what the tail
            reduced.
        """
        names = self.plan.stochastic if outputs is None else outputs
        passes = len(draws[self._counted].numbers)
        if self.plan.layout.one_pass and passes > 1:
            single = [self.run(frontier, _one(draws, i), on, names) for i in range(passes)]
            return {name: np.concatenate([one[name] for one in single]) for name in names}
        found = frontier.engine.run(self.feeds(frontier, draws, on), names)
        return {
            name: y.reshape(passes, -1, *y.shape[1:]) if name in self.plan.stochastic else y
            for name, y in found.items()
        }

    def before_data(
        self, frontier: Frontier, site: SiteSpec, draws: Sequence[SiteDraw]
    ) -> list[dict[str, Array]]:
        """The value of each draw before it meets rows or other draws (see `idle`)."""
        engine = Engine(where_draws_meet_data(self.plan.tail, site), self.providers)
        feeds, found = self.feeds(frontier, self.neutral(frontier, passes=1)), []
        for numbers, scale in draws:
            feeds[draw_input(site)] = numbers
            feeds[scale_input(site)] = np.array(scale, site.dtype)
            found.append(engine.run({k: x for k, x in feeds.items() if k in engine.inputs}))
        return found

    def _draw_shapes(self, rows: Rows) -> list[tuple[int, ...]]:
        """Shape of each site's draw for one row."""
        if self._shapes is None:
            return self._static
        feeds = {name: x[:1] for name, x in rows.items()} | {TRAINING_INPUT: np.array(False)}
        feeds = {name: x for name, x in feeds.items() if name in self._shapes.inputs}
        shapes = self._shapes.run(feeds)
        return [
            place.of_one_row(shapes[draw_input(site)].tolist())
            for site, place in self.plan.places.items()
        ]


def _one(draws: Sequence[SiteDraw], index: int) -> list[SiteDraw]:
    """The draws of one pass."""
    return [SiteDraw(numbers[index : index + 1], scale) for numbers, scale in draws]
