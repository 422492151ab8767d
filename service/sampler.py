"""Passes over rows, in chunks that fit the memory, each summarised and forgotten."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.moments import Moments
from service.core.summary import Summary, constant, summarise
from service.errors import CancelledError
from service.graph.plan import Layout
from service.graph.reductions import m2_output, mean_output
from service.runner import Draws, Frontier, Runner, SiteDraw

Array = NDArray[Any]
Rows = Mapping[str, Array]  # input name to (B, …)


#: So many passes are cheap to start, and their draws small: of one row, 100,000 passes
#: then take the memory of 1,000.
_MOST_PASSES = 1024


class Sampler:
    """Runs passes over rows. Safe to use from several threads."""

    def __init__(
        self,
        runner: Runner,
        samples_per_chunk: int = 4096,
        rows_at_a_time: int = 4096,
        fixed_rows: int | None = None,
    ) -> None:
        """Sample with `runner`.

        Args:
            runner: of a plan.
            samples_per_chunk: how many rows × passes go through the tail at a time.
            rows_at_a_time: how many rows go through the trunk at a time.
            fixed_rows: the number of rows that a serial plan's graph takes; None: any.
        """
        self.runner = runner
        self.plan = runner.plan
        self.sites = runner.sites
        self.samples_per_chunk = samples_per_chunk
        self.rows_at_a_time = rows_at_a_time
        self._serial_rows = fixed_rows or 1

    def deterministic(self, rows: Rows) -> dict[str, Array]:
        """The model with dropout off: output name to (B, …)."""
        parts = []
        for block, count in self._blocks(rows, 1, training=False):
            drawn = self.runner.neutral(block, passes=1)
            found = self.runner.run(block, drawn, on=frozenset())
            both = {name: y[0] for name, y in found.items()} | dict(block.fixed)
            parts.append({name: y[:count] for name, y in both.items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def sample(
        self, rows: Rows, passes: int, draws: Draws, apart: bool = False
    ) -> dict[str, Array]:
        """All samples: output name to (P, B, …); trunk and tail run `apart`, or as may be."""
        parts = []
        for block, count in self._blocks(rows, None if apart else passes):
            chunks = [
                self.runner.run(block, drawn, draws.sites)
                for drawn in self._drawn(block, passes, draws)
            ]
            found = {
                name: np.concatenate([chunk[name] for chunk in chunks])
                for name in self.plan.stochastic
            }
            for name, y in block.fixed.items():
                found[name] = np.broadcast_to(y, (passes, *y.shape))
            parts.append({name: y[:, :count] for name, y in found.items()})
        return {name: np.concatenate([p[name] for p in parts], axis=1) for name in parts[0]}

    def summarise(
        self,
        rows: Rows,
        passes: int,
        draws: Draws,
        with_entropy: bool = False,
        cancelled: threading.Event | None = None,
    ) -> dict[str, Summary]:
        """Run passes and keep what their summary needs; memory does not grow with P.

        Args:
            rows: B of them.
            passes: P.
            draws: what to draw.
            with_entropy: see `Summary`.
            cancelled: when it is set, the next chunk is not begun.

        Returns:
            Output name to the summary of (P, B, …) samples.

        Raises:
            CancelledError: it was cancelled.
        """
        parts = []
        for block, count in self._blocks(rows, passes):
            chunks: list[dict[str, Summary]] = []
            for drawn in self._drawn(block, passes, draws):
                if cancelled is not None and cancelled.is_set():
                    raise CancelledError("the request was cancelled; its passes were stopped.")
                chunk = self._summarise_chunk(block, drawn, draws, with_entropy)
                chunks = [_merge(chunks[0], chunk)] if chunks else [chunk]
            found = chunks[0]
            for name, y in block.fixed.items():
                found[name] = constant(y, passes, with_entropy)
            parts.append({name: summary.rows(count) for name, summary in found.items()})
        if len(parts) == 1:
            return parts[0]
        return {name: Summary.stack([part[name] for part in parts]) for name in parts[0]}

    def _summarise_chunk(
        self, block: Frontier, drawn: Sequence[SiteDraw], draws: Draws, with_entropy: bool
    ) -> dict[str, Summary]:
        plan = self.plan
        reduced = () if with_entropy or plan.layout is Layout.SERIAL else plan.reduced
        whole = [name for name in plan.stochastic if name not in reduced]
        parts = [part(name) for name in reduced for part in (mean_output, m2_output)]
        found = self.runner.run(block, drawn, draws.sites, [*whole, *parts])
        summaries = {name: summarise(found[name], with_entropy) for name in whole}
        for name in reduced:
            mean, m2 = found[mean_output(name)], found[m2_output(name)]
            both = mean.astype(np.float64), np.maximum(m2, 0).astype(np.float64)
            summaries[name] = Summary(Moments(len(drawn[0].numbers), *both))
        return summaries

    def first_block(self, rows: Rows) -> Frontier:
        """The frontier of the first rows, as many as are run at a time."""
        return next(self._blocks(rows))[0]

    def _blocks(
        self, rows: Rows, passes: int | None = None, training: bool = True
    ) -> Iterator[tuple[Frontier, int]]:
        """The frontiers of blocks of rows, and how many rows count; the rest fill up.

        With `passes`, how many there will be, a frontier may be one for a single run.
        """
        count = len(next(iter(rows.values())))
        serial = self.plan.layout is Layout.SERIAL
        size = (
            self._serial_rows if serial else min(count, self.samples_per_chunk, self.rows_at_a_time)
        )
        once = passes is not None and passes <= self._passes_at_a_time(size)
        for first in range(0, count, size):
            block, real = rows, count
            if size != count:
                block = {name: x[first : first + size] for name, x in rows.items()}
                real = len(next(iter(block.values())))
            if real < size and serial:
                block = {name: _filled_up(x, size) for name, x in block.items()}
            yield self.runner.frontier(block, first, training, once), real

    def _passes_at_a_time(self, rows: int) -> int:
        return max(1, min(self.samples_per_chunk // rows, _MOST_PASSES))

    def _drawn(self, block: Frontier, passes: int, draws: Draws) -> Iterator[list[SiteDraw]]:
        """The draws of chunk after chunk."""
        size = self._passes_at_a_time(block.rows)
        for first in range(0, passes, size):
            yield self.runner.draw(block, range(first, min(first + size, passes)), draws)


def _filled_up(x: Array, size: int) -> Array:
    """`x` with its last row repeated, until there are `size` rows."""
    return np.concatenate([x, x[-1:].repeat(size - len(x), axis=0)])


def _merge(a: dict[str, Summary], b: dict[str, Summary]) -> dict[str, Summary]:
    return {name: summary.merge(b[name]) for name, summary in a.items()}
