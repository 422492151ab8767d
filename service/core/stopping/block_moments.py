"""Sums over blocks of passes, of which a jackknife leaves out one after the other."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.measures.base import Array, Measure, Needs, Rows, Sampled
from service.core.measures.facts import Shape
from service.core.moments import Moments
from service.core.ordered_sum import in_order

Float64 = NDArray[np.float64]

#: Passes of a block at the beginning. Blocks of 20 stratified passes consist of whole ones.
_SIZE = 5
#: If there are so many, they are joined in pairs. With half of them, a t quantile is at most a
#: fifth larger than with any number.
MAX_BLOCKS = 64
#: Bytes of the sums for each number of an output: d and d² of each block, in float64.
NUMBER_BYTES = 2 * 8 * MAX_BLOCKS


@dataclass(frozen=True)
class Blocks:
    """Sums of d and d² over blocks of consecutive samples, with d = x - x₀ (see `Sums`).

    They are the same bit for bit, whatever the sizes of chunks and the other rows of a batch.

    Attributes:
        first: (R, …) float64, x₀.
        sums: (N, 2, R, …) float64, of whole blocks: Σd and Σd².
        rest: (2, R, …) float64, of the samples after these.
        size: samples of a block.
        begun: samples in `rest`.
    """

    first: Float64
    sums: Float64
    rest: Float64
    size: int = _SIZE
    begun: int = 0

    @classmethod
    def start(cls, samples: Array, size: int = _SIZE) -> "Blocks":
        """Of no samples; (P, R, …) `samples` are the first that will be added.

        Blocks begin with `size` of them.
        """
        shape, first = samples.shape[1:], samples[0].astype(np.float64)
        return cls(first, np.zeros((0, 2, *shape)), np.zeros((2, *shape)), size)

    def add(self, samples: Array) -> "Blocks":
        """With (P, R, …) samples more."""
        blocks, done = self, 0
        while done < len(samples):
            blocks = blocks._joined()
            room = (MAX_BLOCKS - len(blocks.sums)) * blocks.size - blocks.begun
            blocks = blocks._added(samples[done : done + room])
            done += room
        return blocks

    def rows(self, rows: Rows) -> "Blocks":
        """Of some rows."""
        return replace(
            self, first=self.first[rows], sums=self.sums[:, :, rows], rest=self.rest[:, rows]
        )

    def jackknife(self, value: Callable[[Moments], Array]) -> tuple[Float64, Float64]:
        """Of a quantity over the N blocks, of which there are two or more.

        Args:
            value: the quantity, of the moments of rows.

        Returns:
            (R, …) its value θ of all blocks, and (N, R, …) pseudo-values N·θ - (N - 1)·θ_i, with
            θ_i of all blocks but i.
        """
        count = len(self.sums)
        whole = _sum(self.sums)
        others = np.moveaxis(whole - self.sums, 1, 0)  # (2, N, R, …)
        shape, first = others.shape[1:], np.broadcast_to(self.first, others.shape[1:])
        flat = others.reshape(2, -1, *shape[2:]), first.reshape(-1, *shape[2:])
        of_all = value(_moments(whole, self.first, count * self.size))
        of_others = value(_moments(*flat, (count - 1) * self.size))
        return of_all, count * of_all - (count - 1) * of_others.reshape(count, *of_all.shape)

    def _joined(self) -> "Blocks":
        """Of twice the size, if there are as many as there may be."""
        if len(self.sums) < MAX_BLOCKS:
            return self
        return replace(self, sums=self.sums[::2] + self.sums[1::2], size=2 * self.size)

    def _added(self, samples: Array) -> "Blocks":
        """With samples more, for which there is room."""
        d = samples.astype(np.float64) - self.first
        terms = np.stack([d, d * d], axis=1)
        head = min(self.size - self.begun, len(terms))
        rest, begun = _sum(np.concatenate([self.rest[None], terms[:head]])), self.begun + head
        if begun < self.size:
            return replace(self, rest=rest, begun=begun)
        whole, left = divmod(len(terms) - head, self.size)
        blocks = terms[head : len(terms) - left].reshape(whole, self.size, *rest.shape)
        sums = np.concatenate([self.sums, rest[None], _sum(blocks.swapaxes(0, 1))])
        rest = _sum(np.concatenate([np.zeros((1, *rest.shape)), terms[len(terms) - left :]]))
        return replace(self, sums=sums, rest=rest, begun=left)


@dataclass(frozen=True)
class BlockMoments(Measure):
    """The blocks that a decision reads, as a state beside those of the measures of a request.

    Attributes:
        inner: samples of a pass; blocks consist of whole passes.
    """

    inner: int = 1

    name = "block_moments"
    unit = "output"
    needs = Needs.STREAM

    def shape(self, output: Shape) -> Shape:
        """That of the output; they are no values of an answer."""
        return output

    def init(self, samples: Array) -> Blocks:
        """See `Measure.init`."""
        return Blocks.start(samples, _SIZE * self.inner)

    def update(self, state: Blocks, samples: Array) -> Blocks:
        """See `Measure.update`."""
        return state.add(samples)

    def take(self, state: Blocks, rows: Rows) -> Blocks:
        """See `Measure.take`."""
        return state.rows(rows)

    def finalize(self, state: Any, found: Sampled) -> Array:
        """The means; they are no values of an answer."""
        return found.moments.mean


def _sum(terms: Float64) -> Float64:
    """Along axis 0, in order."""
    return in_order(terms.reshape(len(terms), -1)).reshape(terms.shape[1:])


def _moments(sums: Float64, first: Float64, count: int) -> Moments:
    """Of `count` passes: (2, …) Σd and Σd², and (…) x₀."""
    total, squares = sums
    m2 = np.maximum(squares - total * total / count, 0.0)
    return Moments(count, first + total / count, m2)
