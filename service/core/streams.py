"""Counter-based random streams: the random bits of every draw.

A draw is a pure function of (seed, site, pass, row): Philox (Salmon et al. 2011,
"Parallel random numbers: as easy as 1, 2, 3") is keyed by seed and site, and a
pass owns a fixed range of its counter. Therefore draws do not depend on which passes
are drawn together, on their order, or on the machine.

The counter has 256 bits: pass and number in the lower 128, the plane in the next
64, the row in the upper 64.
"""

import threading
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: One Philox counter step gives 4 words of 64 bits.
_BYTES_PER_STEP = 32
_WORD = (1 << 64) - 1
#: "<": the same numbers on a big-endian machine, too.
_TYPES = {name: np.dtype(f"<{name}") for name in ("u1", "u2", "u4")}


class _Generator(threading.local):
    """A Philox per thread, whose state is set; creating one takes five times as long."""

    def __init__(self) -> None:
        self._philox = np.random.Philox(0)
        self._position: dict[str, list[int]] = {"counter": [0] * 4, "key": [0] * 2}
        self._state: Any = {
            "bit_generator": "Philox",
            "state": self._position,
            # An empty buffer: the next number is the first of the counter's next step.
            "buffer": [0] * 4,
            "buffer_pos": 4,
            "has_uint32": 0,
            "uinteger": 0,
        }

    def words(self, key: list[int], counter: list[int], count: int) -> NDArray[np.uint64]:
        """`count` words of 64 bits from `counter` on."""
        self._position["key"], self._position["counter"] = key, counter
        self._philox.state = self._state
        return self._philox.random_raw(count)


_generator = _Generator()


class Stream(NamedTuple):
    """The random bits of a site for one row, in each of some passes.

    Attributes:
        seed: 0 ≤ seed < 2**64, of the request.
        site: 0 ≤ site < 2**64, index of the site in its model.
        passes: indices of the passes, consecutive; P of them.
        row: 0 ≤ row < 2**64, index of the row in its request.
    """

    seed: int
    site: int
    passes: range
    row: int = 0

    def numbers(self, size: int, dtype: str, plane: int = 0) -> NDArray[np.unsignedinteger[Any]]:
        """Independent integers, uniform over the whole range of `dtype`.

        Args:
            size: numbers for each pass.
            dtype: "u1", "u2" or "u4".
            plane: 0 ≤ plane < 2**64; each has numbers of its own.

        Returns:
            (P, size) unsigned integers.
        """
        seed, site, passes, row = self
        width = _TYPES[dtype]
        steps = -(-size * width.itemsize // _BYTES_PER_STEP)
        first = passes.start * steps
        counter = [first & _WORD, first >> 64, plane, row]
        words = _generator.words([seed, site], counter, len(passes) * steps * 4)
        words = words.astype("<u8", copy=False)
        return words.view(width).reshape(len(passes), -1)[:, :size]
