"""Stratified random numbers: the passes of a block share out the strata of [0, 1).

Passes are coupled in blocks of `BLOCK`. For each element of a draw, pass j of a block gets
u_j = (π(j) + v_j) / BLOCK, with a random permutation π of the strata and v_j uniform on [0, 1).
Each u_j by itself is uniform and the elements of a pass are independent, so that each pass alone is
a draw like any other; over a block, the numbers of an element spread evenly. That removes from a
mean over passes what its variance owes to single elements (Latin hypercube sampling; McKay, Beckman
& Conover 1979, Stein 1987).

π is drawn from PGL(2, 19), the maps x → (ax + b)/(cx + d) of the projective line over the integers
modulo 19. It is sharply 3-transitive: its 6840 permutations of 20 points move any 3 passes to any 3
strata equally often, as all 20! permutations do. So one 32-bit number draws π from a table.

A draw is a pure function of (seed, site, block, pass, row), as in `streams`.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from service.core.streams import Stream

#: Passes of a block, and its strata; 20 divides the usual dropout rates evenly.
BLOCK = 20

_FIELD = BLOCK - 1
_PERMUTATIONS = BLOCK * _FIELD * (_FIELD - 1)
#: Planes of the random bits: what the blocks draw for π, and bits of a fine threshold; what
#: each pass draws for its place in its stratum.
_OF_BLOCKS, _FINE, _OF_PASSES = range(1 << 32, (1 << 32) + 3)
#: Bits of a threshold for which what the number of a permutation leaves over suffices.
_SPARE_BITS = 16


def uniform(stream: Stream, size: int) -> NDArray[np.float64]:
    """Numbers on (0, 1), never 0 or 1.

    Args:
        stream: the random bits of P passes.
        size: numbers for each pass.

    Returns:
        (P, size) float64.
    """
    index = _index(_scaled(stream, size))
    strata = _strata().take(index, axis=1).swapaxes(0, 1).reshape(-1, size)
    places = stream.numbers(size, "u4", _OF_PASSES) + 0.5
    numbers: NDArray[np.float64] = (strata[_own(stream)] + places * 2.0**-32) / BLOCK
    return numbers


def below(stream: Stream, size: int, threshold: int, bits: int) -> NDArray[np.uint8]:
    """1 where a stratified number is below threshold/2**bits, and 0 elsewhere.

    The number of an element's strata below the threshold is whole but for one, of which the
    threshold cuts off a part; it counts as below with this probability, in all passes of the block.

    Args:
        stream: the random bits of P passes.
        size: numbers for each pass.
        threshold, bits: 0 < threshold < 2**bits, bits ≤ 32.

    Returns:
        (P, size) uint8.
    """
    whole, part = divmod(BLOCK * threshold, 1 << bits)
    scaled = _scaled(stream, size)
    index, table = _index(scaled), _passes_below()[whole]
    if part:
        # The lower half is uniform, too, but takes one in 6840 of the values.
        spare = scaled.astype(np.uint32)
        if bits > _SPARE_BITS:
            spare = _blocks(stream).numbers(size, "u4", _FINE)
        index += _PERMUTATIONS * (spare < part << 32 - bits)
        table = _passes_below()[whole : whole + 2].reshape(-1)
    return _unpacked(table.take(index))[_own(stream)]


def _blocks(stream: Stream) -> Stream:
    """The stream of the blocks of its passes."""
    seed, site, passes, row = stream
    return Stream(seed, site, range(passes.start // BLOCK, -(-passes.stop // BLOCK)), row)


def _own(stream: Stream) -> slice:
    """The passes of a stream among those of its blocks."""
    first = stream.passes.start % BLOCK
    return slice(first, first + len(stream.passes))


def _scaled(stream: Stream, size: int) -> NDArray[np.uint64]:
    """(blocks, size) numbers of 32 bits times the number of permutations."""
    numbers = _blocks(stream).numbers(size, "u4", _OF_BLOCKS)
    scaled: NDArray[np.uint64] = np.multiply(numbers, _PERMUTATIONS, dtype=np.uint64)
    return scaled


def _index(scaled: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(blocks, size) of permutations: the upper half (Lemire 2019), uniform to 2e-6."""
    return (scaled >> 32).view(np.int64)


@cache
def _strata() -> NDArray[np.uint8]:
    """(BLOCK, 6840): of each pass of a block, the stratum in each permutation of PGL(2, 19)."""
    a, b, c, d = (x.ravel() for x in np.indices((_FIELD, _FIELD, 2, _FIELD)))
    # One matrix of each map: c = 1, or c = 0 and d = 1.
    one = ((a * d - b * c) % _FIELD != 0) & ((c == 1) | (d == 1))
    a, b, c, d = a[one], b[one], c[one], d[one]
    inverse = np.array([pow(x, _FIELD - 2, _FIELD) for x in range(_FIELD)])
    x = np.arange(_FIELD)[:, None]
    above, beneath = (a * x + b) % _FIELD, (c * x + d) % _FIELD
    images = np.where(beneath == 0, _FIELD, above * inverse[beneath] % _FIELD)
    # _FIELD is the point at infinity.
    return np.concatenate([images, np.where(c == 1, a, _FIELD)[None]]).astype(np.uint8)


@cache
def _passes_below() -> NDArray[np.uint64]:
    """(BLOCK + 1, 6840): bit j tells whether pass j's stratum is below 0, 1 … BLOCK.

    Each byte has the bits of `_IN_BYTE` passes.
    """
    limits = np.arange(BLOCK + 1)[:, None]
    shifts = (8 * (j // _IN_BYTE) + j % _IN_BYTE for j in range(BLOCK))
    bits = [(x < limits).astype("<u8") << s for x, s in zip(_strata(), shifts, strict=True)]
    found: NDArray[np.uint64] = np.bitwise_or.reduce(bits)
    return found


#: A divisor of BLOCK, so that the bytes make whole blocks.
_IN_BYTE = 4
_BITS = np.array([[1], [2], [4], [8]], np.uint8)


def _unpacked(bits: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """(blocks · BLOCK, size) uint8 of 0 or 1, of (blocks, size) bits of each block.

    A bit of the bytes becomes a row of the result; for `np.unpackbits` the result would have to be
    transposed.
    """
    blocks, size = bits.shape
    octets = bits.view(np.uint8).reshape(blocks, size, 8)[..., : BLOCK // _IN_BYTE]
    planes = np.ascontiguousarray(octets.transpose(0, 2, 1))[:, :, None]
    found: NDArray[np.uint8] = planes & _BITS
    np.not_equal(found, 0, out=found.view(np.bool_))
    return found.reshape(-1, size)
