"""Sums that are the same to the bit however their terms come in chunks."""

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
        sums, rest = sums_by_block(self.rest, more, BLOCK, self.terms % BLOCK)
        return OrderedSum(self.terms + len(more), add_in_order(self.blocks, sums), rest)

    def rows(self, rows: slice | NDArray[np.intp]) -> "OrderedSum":
        """Of some elements of axis 0."""
        return OrderedSum(self.terms, self.blocks[rows], self.rest[rows])

    @property
    def value(self) -> NDArray[np.float64]:
        """(…) float64, the sum."""
        total: NDArray[np.float64] = self.blocks + self.rest
        return total


def sums_by_block(
    begun: NDArray[np.float64], more: NDArray[np.float64], size: int, terms: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add terms to the blocks that they belong to, in their order.

    Args:
        begun: (…), sum of the terms that the first block has already.
        more: (P, …) terms.
        size: terms of a block.
        terms: number of the terms in `begun`, less than `size`.

    Returns:
        (K, …) sums of the blocks that are now whole, and (…), the sum of the terms after them.
    """
    # Along an axis that is contiguous in memory NumPy would add in pairs of pairs.
    shape, flat = begun.shape, np.ascontiguousarray(more).reshape(len(more), -1)
    first = 0
    if terms:
        first = min(size - terms, len(flat))
        head = in_order(np.concatenate([begun.reshape(1, -1), flat[:first]]))
        if terms + first < size:
            return np.zeros((0, *shape)), head.reshape(shape)
    whole = (len(flat) - first) // size
    last = first + whole * size
    blocks = flat[first:last].reshape(whole, size, flat.shape[1])
    sums = in_order(blocks.swapaxes(0, 1)) if whole else blocks[:, 0]
    if terms:
        sums = np.concatenate([head[None], sums])
    return sums.reshape(-1, *shape), in_order(flat[last:]).reshape(shape)


def add_in_order(begun: NDArray[np.float64], more: NDArray[np.float64]) -> NDArray[np.float64]:
    """(…) sums of (…) and (n, …) terms: (begun + more[0]) + more[1] …"""
    if not len(more):
        return begun
    terms = np.concatenate([begun[None], more])
    return in_order(terms.reshape(len(terms), -1)).reshape(begun.shape)


def in_order(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """(…, m) sums of (n, …, m): (x[0] + x[1]) + x[2] …"""
    columns = x.shape[-1]
    if columns == 1:
        # As above: of one column, the axis of the terms is contiguous.
        x = x.repeat(2, axis=-1)
    total: NDArray[np.float64] = np.add.reduce(x, axis=0)
    return total[..., :columns]
