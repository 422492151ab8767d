"""Computes how many rows and passes of a model fit into memory at a time.

If a model has dynamic axes other than the batch, a row of 20,000 steps takes 2,500 times the
memory of one of 8. Therefore the sizes are computed for each shape of rows.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import InputError
from service.graph.costs import CostModel, Costs
from service.graph.place import draw_input
from service.graph.plan import Layout
from service.inference.runner import Rows, Runner
from service.inference.texts import max_letters
from service.manifest import TRAINING_INPUT
from service.runtime.memory import mib
from service.runtime.tuning import ON_CPU, Tuning

#: Bytes per element of a sample outside of the graph: several float64 values.
_SUMMARIZED = 32
#: Maximum number of cached shapes, since clients may send any number of them.
_MAX_SHAPES = 1024
#: Bytes per character in a graph that splits strings, and in other graphs. In the worst case a
#: text is split at every character, and each part takes 32 bytes in several tensors: 2,000,000
#: tabs and punctuation marks took up to 360 per character.
_LETTER_APART, _LETTER = 384, 8
#: Rows of the trunk, and passes more than one, to see what one costs.
_ROWS, _MORE = 4, 8

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Sizes:
    """What fits, for rows of one shape.

    Attributes:
        sample: bytes of one row of one pass in the tail, with all of its inner masks.
        row: bytes of one row in the trunk, or in a pass if that is more.
        samples: maximum rows × passes in the tail at a time.
        rows: maximum rows in the trunk at a time.
        shared: memory of a pass's shared draws, as a number of rows.
        inner: masks of the last site in each pass.
    """

    sample: int = 1
    row: int = 1
    samples: int = ON_CPU.max_samples
    rows: int = ON_CPU.max_samples
    shared: int = 0
    inner: int = 1

    @property
    def least(self) -> int:
        """Bytes of a pass of a single row."""
        return self.sample * self.work(1, 1)

    def work(self, rows: int, passes: int) -> int:
        """The work of passes over rows, in samples."""
        return passes * (rows + self.shared)

    def passes(self, samples: int, rows: int) -> int:
        """Number of passes over rows whose work is at most `samples`; at least one."""
        return max(1, samples // self.work(rows, 1))

    @classmethod
    def within(
        cls,
        memory: int,
        sample: int,
        row: int,
        shared: int = 0,
        tuning: Tuning = ON_CPU,
        *,
        inner: int = 1,
    ) -> "Sizes":
        """The sizes that fit into `memory` bytes; at least one row and one sample.

        Args:
            memory: bytes.
            sample: bytes of one.
            row: bytes of one, in the trunk or in a pass of the tail.
            shared: see above.
            tuning: of the execution provider.
            inner: see above.
        """
        budget = memory / tuning.memory_margin
        samples = max(1, min(int(budget / sample), tuning.max_samples // inner))
        rows = max(1, min(int(budget / row), tuning.max_samples))
        return cls(sample, row, samples, rows, shared, inner)


class Sizing:
    """The sizes of a model. Thread-safe."""

    def __init__(
        self, sizes: Sizes, find: Callable[[Rows, int], Sizes] | None = None, dynamic: bool = False
    ) -> None:
        """Compute sizes.

        Args:
            sizes: for rows of static shapes, and passes of one sample.
            find: computes those of the given rows and samples of a pass; None: all are the same.
            dynamic: whether rows have different shapes.
        """
        self._sizes = sizes
        self._find = find
        self._dynamic = dynamic
        self._known: dict[tuple[Shapes, int], Sizes] = {}

    def known(self, rows: Rows, inner: int = 1) -> Sizes | None:
        """The sizes for these rows and samples of a pass, if they are known without any work."""
        if self._find is None or (inner == 1 and not self._dynamic):
            return self._sizes
        return self._known.get((_shapes(rows), inner))

    def __call__(self, rows: Rows, inner: int = 1) -> Sizes:
        """The sizes for these rows and samples of a pass.

        Raises:
            InputError: a single row takes more memory than allowed.
        """
        sizes = self.known(rows, inner)
        if sizes is None and self._find is not None:
            sizes = self._find(rows, inner)
            if len(self._known) >= _MAX_SHAPES:
                self._known.clear()
            self._known[_shapes(rows), inner] = sizes
        return sizes or self._sizes


def _shapes(rows: Rows) -> Shapes:
    return tuple((*x.shape[1:], max_letters(x)) for x in rows.values())


class Measure:
    """Estimates the memory of rows in the graphs of a plan.

    Attributes:
        runner: of the plan.
    """

    def __init__(self, runner: Runner, fixed_rows: int | None) -> None:
        """`fixed_rows` as in `Sampler`."""
        self.runner = runner
        self._fewest = fixed_rows or 1
        inner = runner.plan.inner
        self._tail = CostModel(runner.plan.tail, None if inner is None else draw_input(inner))
        self._trunk = CostModel(runner.plan.trunk) if runner.plan.trunk else None
        self._shapes = CostModel(runner.plan.shapes) if runner.plan.shapes else None

    def row(self, rows: Rows) -> Costs:
        """Memory of one row in the trunk; nothing runs."""
        if self._trunk is None:
            return Costs(0, 0, {})
        return _with_text(self._trunk(_stubs(rows, _ROWS)).over(_ROWS), rows, self._trunk)

    def sample(self, rows: Rows, inner: int = 1) -> Costs:
        """Memory of one row of one pass in the tail; the trunk runs for one row."""
        few = self._tail_of(rows, self._fewest, 1, inner)
        if not self.runner.plan.layout.one_pass:
            few = self._tail_of(rows, self._fewest, 1 + _MORE, inner).minus(few).over(_MORE)
        return _with_text(few, rows, self._tail)

    def sizes(self, memory: int, rows: Rows, row: Costs, sample: Costs, inner: int = 1) -> Sizes:
        """The sizes if a row and a pass of `inner` samples take this memory."""
        each, shared = self._bytes(sample, inner), 0
        if self.runner.plan.layout is Layout.BY_PASS:
            # A draw shared by all rows is made once per pass, not once per row.
            whole, each = each, self._bytes(self._tail_of(rows, 2, 1).minus(sample))
            shared = max(whole - each, 0) // each
        tuning = self.runner.tuning
        return Sizes.within(memory, each, max(row.bytes, each), shared, tuning, inner=inner)

    def within(self, memory: int, rows: Rows, inner: int) -> Sizes:
        """The sizes for these rows, and passes of `inner` samples.

        Raises:
            InputError: a single row takes more than `memory` bytes.
        """
        row = self.row(rows)
        # The graph of the draws' shapes runs the layers before the last draw, for one row.
        shapes = self._shapes(_stubs(rows, 1)).bytes if self._shapes else 0
        _require_room(max(row.bytes, shapes), memory, rows)
        sizes = self.sizes(memory, rows, row, self.sample(rows, inner), inner)
        _require_room(sizes.least, memory, rows, inner)
        return sizes

    def _tail_of(self, rows: Rows, count: int, passes: int, inner: int = 1) -> Costs:
        some = {name: x[:1].repeat(count, axis=0) for name, x in rows.items()}
        return self._tail(self.runner.stubs(self.runner.frontier(some), passes, inner))

    def _bytes(self, sample: Costs, inner: int = 1) -> int:
        """Add the memory of outputs outside of the graph."""
        plan = self.runner.plan
        whole = [name for name in plan.stochastic if inner > 1 or name not in plan.reduced]
        elements = sum(sample.outputs.get(name, 0) for name in whole)
        return max(sample.bytes + _SUMMARIZED * elements, 1)


def _with_text(costs: Costs, rows: Rows, model: CostModel) -> Costs:
    """Memory of one row in a graph, including its strings."""
    letters = sum(
        math.prod(x.shape[1:]) * max_letters(x) for name, x in rows.items() if name in model.inputs
    )
    each = _LETTER_APART if model.splits_text else _LETTER
    return replace(costs, bytes=costs.bytes + each * letters)


def _require_room(needed: int, memory: int, rows: Rows, inner: int = 1) -> None:
    if needed > memory:
        shapes = ", ".join(f"{_size_text(x)} of {name!r}" for name, x in rows.items())
        masks = f", with {inner} inner masks," if inner > 1 else ""
        raise InputError(
            f"one pass of one row of shape {shapes}{masks} takes about {mib(needed)} MiB; this "
            f"server allows {mib(memory)} MiB. Send shorter rows."
        )


def _size_text(x: NDArray[Any]) -> str:
    letters = max(map(len, x.flat), default=0) if x.dtype == object else 0
    return f"{list(x.shape[1:])}" + (f", with up to {letters} characters," if letters else "")


def _stubs(rows: Rows, count: int) -> dict[str, NDArray[Any]]:
    """`count` such rows and the training flag, as arrays without memory of their own."""
    feeds: dict[str, NDArray[Any]] = {
        name: np.broadcast_to(np.zeros((), x.dtype), (count, *x.shape[1:]))
        for name, x in rows.items()
    }
    return {**feeds, TRAINING_INPUT: np.array(False)}
