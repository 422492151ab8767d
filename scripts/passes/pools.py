"""Passes that are drawn once, in blocks of 20, from which runs of a rule are put together.

A run is a sequence of blocks, drawn with replacement: passes of a model whose mean is that of the
pool. So a rule is simulated thousands of times, against a mean that is known.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service import Predictor
from service.core.moments import Moments
from service.inference.runner import Draws

Float64 = NDArray[np.float64]

#: Passes of a block, which divide those of every look.
BLOCK = 20
#: Passes that are drawn at a time.
_AT_A_TIME = 500
_SEED = 2016


@dataclass(frozen=True)
class Pool:
    """Passes of rows.

    Attributes:
        sums: (N, B, K), of the N blocks: Σd, with d the difference from the mean of the pool.
        squares: (N, B, K), Σd².
        mean: (B, K) of the pool.
    """

    sums: Float64
    squares: Float64
    mean: Float64

    @property
    def variance(self) -> Float64:
        """(B, K) variance of a mean times its number of passes: that of a pass, if independent."""
        found: Float64 = (self.sums**2).mean(axis=0) / BLOCK
        return found

    def row(self, row: int) -> "Pool":
        """Of one row: (N, K)."""
        return Pool(self.sums[:, row], self.squares[:, row], self.mean[row])

    def run(self, runs: int, looks: tuple[int, ...], random: np.random.Generator) -> list[Moments]:
        """Runs over the only row: moments of (runs, K) passes at each look."""
        blocks = random.integers(len(self.sums), size=(looks[-1] // BLOCK, runs))
        at = np.array(looks) // BLOCK - 1
        sums = self.sums[blocks].cumsum(axis=0)[at]
        squares = self.squares[blocks].cumsum(axis=0)[at]
        return [
            Moments(
                passes, self.mean + total / passes, np.maximum(of_d - total * total / passes, 0)
            )
            for passes, total, of_d in zip(looks, sums, squares, strict=True)
        ]


def draw(model: Predictor, rows: NDArray[np.float32], passes: int) -> Pool:
    """Draw a pool of the passes of a model with one output."""
    (name,) = (spec.name for spec in model.manifest.inputs)
    (output,) = (spec.name for spec in model.manifest.outputs)
    sums, squares, first = [], [], np.zeros(1)
    for start in range(0, passes, _AT_A_TIME):
        found = model.sampler.sample({name: rows}, _AT_A_TIME, Draws(_SEED), first=start)[output]
        if not start:
            first = found.mean(axis=0, dtype=np.float64)
        d = (found - first).reshape(-1, BLOCK, *first.shape)
        sums.append(d.sum(axis=1))
        squares.append((d * d).sum(axis=1))
    return _centered(np.concatenate(sums), np.concatenate(squares), first)


def _centered(sums: Float64, squares: Float64, first: Float64) -> Pool:
    """Of differences from the mean of the pool, in place of those from `first`."""
    offset = sums.mean(axis=0) / BLOCK
    squares = squares - 2 * offset * sums + BLOCK * offset * offset
    return Pool(sums - BLOCK * offset, squares, first + offset)
