"""Stochastic passes over rows: draws, runs the plan, orders the axes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.draws import draw, neutral
from service.engine import Engine
from service.graph.draws_as_inputs import draw_input
from service.graph.plan import Plan
from service.manifest import TRAINING_INPUT

Array = NDArray[Any]
Rows = Mapping[str, Array]  # input name to (B, …)


class Sampler:
    """Runs a plan. Safe to use from several threads."""

    def __init__(self, plan: Plan, providers: Sequence[str]) -> None:
        self.sites = plan.sites
        self._has_flag = plan.has_flag
        self._engine = Engine(plan.model, providers)
        self._shapes = Engine(plan.shapes, providers) if plan.shapes else None

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers that really run."""
        return self._engine.providers

    def sample(self, rows: Rows, passes: int, seed: int) -> dict[str, Array]:
        """Run `passes` stochastic passes over the rows, as one batched call.

        A pass is one thinned network: its draws are the same for all rows.

        Returns:
            Output name to (B, P, …) samples.
        """
        return self.run(rows, self.draw(rows, passes, seed))

    def deterministic(self, rows: Rows) -> dict[str, Array]:
        """The model with dropout off: output name to (B, …)."""
        outputs = self.run(rows, self.neutral(rows, passes=1), training=False)
        return {name: samples[:, 0] for name, samples in outputs.items()}

    def draw(self, rows: Rows, passes: int, seed: int) -> list[Array]:
        """Draws of each site, (P, 1, …site), for the given seed."""
        return [
            draw(site.kind, site.rate, seed, index, range(passes), (1, *shape), site.dtype)
            for index, (site, shape) in enumerate(
                zip(self.sites, self._site_shapes(rows), strict=True)
            )
        ]

    def neutral(self, rows: Rows, passes: int) -> list[Array]:
        """Draws of each site that change nothing, (P, 1, …site)."""
        return [
            neutral(site.kind, passes, (1, *shape), site.dtype)
            for site, shape in zip(self.sites, self._site_shapes(rows), strict=True)
        ]

    def run(self, rows: Rows, draws: list[Array], training: bool = True) -> dict[str, Array]:
        """Run the passes that `draws` describe: output name to (B, P, …)."""
        passes = len(draws[0])
        feeds = {name: np.tile(x, (passes, *[1] * (x.ndim - 1))) for name, x in rows.items()}
        feeds |= {draw_input(site): d for site, d in zip(self.sites, draws, strict=True)}
        if self._has_flag:
            feeds[TRAINING_INPUT] = np.array(training)
        return {
            name: y.reshape(passes, -1, *y.shape[1:]).swapaxes(0, 1)
            for name, y in self._engine.run(feeds).items()
        }

    def _site_shapes(self, rows: Rows) -> list[tuple[int, ...]]:
        """Shape of each site's draw, without the batch axis."""
        if self._shapes is None:
            return [tuple(size for size in site.shape[1:] if size) for site in self.sites]
        feeds = {name: x[:1] for name, x in rows.items()} | {TRAINING_INPUT: np.array(False)}
        shapes = self._shapes.run(feeds)
        return [tuple(shapes[draw_input(site)][1:].tolist()) for site in self.sites]
