"""Sums that are the same to the bit however their terms come in chunks."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Terms are added in blocks of so many and the blocks' sums then, which loses less than
#: one long sum: about √BLOCK + √(P / BLOCK) roundings of P terms in place of √P.
BLOCK = 256


class OrderedSum(NamedTuple):
    """The sum of P terms, elementwise. Term p belongs to block p // BLOCK.

    Attributes:
        terms: P.
        blocks: (…) float64, sum of the whole blocks, in their order.
        rest: (…) float64, sum of the terms after those, in their order.
    """

    terms: int
    blocks: NDArray[np.float64]
    rest: NDArray[np.float64]

    @classmethod
    def zero(cls, shape: tuple[int, ...]) -> "OrderedSum":
        """Of no terms of a shape."""
        return cls(0, np.zeros(shape), np.zeros(shape))

    def add(self, more: NDArray[np.float64]) -> "OrderedSum":
        """With (P, …) terms more."""
        count, shape = self.terms + len(more), self.rest.shape
        # Along an axis that is contiguous in memory NumPy would add in pairs of pairs.
        flat = np.ascontiguousarray(more).reshape(len(more), -1)
        begin = self.rest.reshape(1, -1)
        # What there is of the block that was begun is its first term.
        left, x = BLOCK - self.terms % BLOCK, np.concatenate([begin, flat])
        sums = [
            _in_order(x[a:b]) for a, b in pairwise([0, *range(1 + left, len(x), BLOCK), len(x)])
        ]
        rest = sums.pop() if count % BLOCK else np.zeros(flat.shape[1])
        blocks = _in_order(np.stack([self.blocks.reshape(-1), *sums]))
        return OrderedSum(count, blocks.reshape(shape), rest.reshape(shape))

    def rows(self, rows: slice | NDArray[np.intp]) -> "OrderedSum":
        """Of some elements of axis 0."""
        return OrderedSum(self.terms, self.blocks[rows], self.rest[rows])

    @property
    def value(self) -> NDArray[np.float64]:
        """(…) float64, the sum."""
        total: NDArray[np.float64] = self.blocks + self.rest
        return total


def _in_order(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """(m,) sums of (n, m): (x[0] + x[1]) + x[2] …"""
    columns = x.shape[1]
    if columns == 1:
        # As above: of one column, the axis of the terms is contiguous.
        x = np.repeat(x, 2, axis=1)
    total: NDArray[np.float64] = np.add.reduce(x, axis=0)
    return total[:columns]
