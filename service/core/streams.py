"""Counter-based random streams: the bits behind every draw.

A draw is a pure function of (seed, site, pass): Philox (Salmon et al. 2011,
"Parallel random numbers: as easy as 1, 2, 3") is keyed by seed and site, and a
pass owns a fixed range of its counter. So it does not matter which passes are
drawn together, in which order, or where.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: One Philox counter step gives 4 words of 64 bits.
_BYTES_PER_STEP = 32


def random_numbers(
    seed: int, site: int, passes: range, size: int, dtype: str
) -> NDArray[np.unsignedinteger[Any]]:
    """Independent integers, uniform over the whole range of `dtype`.

    Args:
        seed: 0 ≤ seed < 2**64, of the request.
        site: 0 ≤ site < 2**64, index of the site in its model.
        passes: indices of the passes, consecutive.
        size: numbers for each pass.
        dtype: "u2" or "u4".

    Returns:
        (P, size) unsigned integers.
    """
    # "<": the same numbers on a big-endian machine, too.
    width = np.dtype(f"<{dtype}")
    steps = -(-size * width.itemsize // _BYTES_PER_STEP)
    stream = np.random.Philox(counter=passes.start * steps, key=(site << 64) | seed)
    words = stream.random_raw(len(passes) * steps * 4).astype("<u8", copy=False)
    return words.view(width).reshape(len(passes), -1)[:, :size]
