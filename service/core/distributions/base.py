"""The interface of a distribution, from which sites draw."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from service.core.streams import Stream
from service.core.tolerances import SIGMAS
from service.protocol.options import Sampling

Array = NDArray[Any]


class SiteDraw(NamedTuple):
    """The draw of a site.

    Attributes:
        numbers: (P, R, …), R being 1 where the rows of a pass share them.
        scale: factor of a mask's kept elements; 1 for other numbers.
    """

    numbers: Array
    scale: float = 1.0


class Operator(NamedTuple):
    """The ONNX operator of a distribution.

    Attributes:
        name: of the ONNX operator. Its input provides the shape, or is multiplied by a mask.
        attributes: with which it draws the standard numbers of the distribution; they are
            also ONNX's defaults.
    """

    name: str
    attributes: Mapping[str, float] = {}


class PopulationMoments(NamedTuple):
    """Those of the distribution itself. The kurtosis of a normal distribution is 3."""

    mean: float
    variance: float
    kurtosis: float


class Distribution(ABC):
    """The distribution of one kind of site. Stateless; there is one object of each class.

    The numbers are standard ones: a graph scales and moves them by operators of its own.
    If the distribution takes a dropout rate they are masks, uint8, of 1 where an element is
    kept, and the site multiplies its data by them.

    Attributes:
        kinds: its names in manifests; the first is the usual one.
        operator: that draws it in a graph.
        neutral: the number that leaves the data unchanged, or else the midpoint.
        neutral_is_off: whether a site that gets `neutral` is as good as off, whatever the
            graph does with the number.
        probes: numbers of which at least one shows that a site reaches an output.
        takes_rate: whether a site has a dropout rate.
    """

    kinds: ClassVar[tuple[str, ...]]
    operator: ClassVar[Operator]
    neutral: ClassVar[float]
    neutral_is_off: ClassVar[bool] = True
    probes: ClassVar[tuple[float, float]]
    takes_rate: ClassVar[bool] = False

    @abstractmethod
    def row(
        self, stream: Stream, shape: Sequence[int], dtype: DTypeLike, rate: float | None
    ) -> Array:
        """Draw for one row, from `stream` alone.

        Args:
            stream: the random bits of the row, for each pass.
            shape: of one pass's numbers.
            dtype: of the site.
            rate: of the site: 0 ≤ rate ≤ 1, or None where the distribution takes none.

        Returns:
            (P, *shape) of `number_type(dtype)`.
        """

    @abstractmethod
    def stratified(
        self, stream: Stream, shape: Sequence[int], dtype: DTypeLike, rate: float | None
    ) -> Array:
        """The same as `row`, for passes that are coupled in blocks.

        Each pass alone is a draw of the distribution. It is made from the numbers of `strata`,
        which are uniform, by a function that never decreases (or never increases): the
        distribution's inverse distribution function, or a comparison with a threshold.
        """

    @abstractmethod
    def moments(self, rate: float | None = None) -> PopulationMoments:
        """Moments of the numbers of a site with this rate."""

    def number_type(self, dtype: DTypeLike) -> np.dtype[Any]:
        """Element type of the numbers of a site of `dtype`."""
        return np.dtype(dtype)

    def scale(self, rate: float | None) -> float:
        """What a mask's kept elements are multiplied by."""
        return 1.0

    def moved(self, attributes: Mapping[str, float]) -> tuple[float, float]:
        """What other attributes of the operator do to standard numbers: (offset, scale)."""
        return 0.0, 1.0

    def share_unusual(self, rate: float | None) -> float:
        """Share of the numbers, at least, whose effect on an output differs from the rest's."""
        return 1.0

    def must_vary(self, count: int, rate: float | None) -> bool:
        """Whether `count` numbers, one or more, that are all the same are no chance."""
        return True

    def agrees(self, numbers: Array, rate: float | None) -> bool:
        """Whether numbers, of any shape, are likely to be of this distribution.

        By mean and standard deviation; a few numbers tell nothing.
        """
        mean, variance, kurtosis = self.moments(rate)
        values = numbers.astype(np.float64)
        deviation = math.sqrt(variance)
        error = SIGMAS * deviation / math.sqrt(values.size)
        # Half the relative error of a variance.
        error_of_deviation = error * math.sqrt(kurtosis - 1) / 2 + deviation / values.size
        off = abs(float(values.mean()) - mean), abs(float(values.std()) - deviation)
        return off[0] <= error and off[1] <= error_of_deviation

    def draw(
        self,
        seed: int,
        site: int,
        passes: range,
        rows: Sequence[int],
        shape: Sequence[int],
        *,
        dtype: DTypeLike,
        rate: float | None = None,
        sampling: Sampling = "independent",
    ) -> SiteDraw:
        """Draw for each pass and each of `rows`.

        A draw that all rows share is that of row 0: `rows` is range(1).

        Args:
            seed, site, passes: see `Stream`.
            rows: indices of the rows.
            shape: of one draw.
            dtype: of the site.
            rate: of the site, as the request scaled it.
            sampling: whether the passes are independent.

        Returns:
            (P, R, *shape) numbers, and their scale.
        """
        draw = self.stratified if sampling == "stratified" else self.row
        if len(rows) == 1:
            stream = Stream(seed, site, passes, rows[0])
            return SiteDraw(draw(stream, shape, dtype, rate)[:, None], self.scale(rate))
        drawn = [draw(Stream(seed, site, passes, row), shape, dtype, rate) for row in rows]
        return SiteDraw(np.stack(drawn, axis=1), self.scale(rate))

    def still(self, passes: int, shape: Sequence[int], dtype: DTypeLike) -> SiteDraw:
        """The neutral number, for each pass: (P, 1, *shape), as from `draw`."""
        return SiteDraw(np.full((passes, 1, *shape), self.neutral, self.number_type(dtype)))

    def pair(self, base: SiteDraw, probe: float) -> tuple[SiteDraw, SiteDraw]:
        """Two draws, of which the second differs from the first by a probe."""
        return base, SiteDraw(np.full_like(base.numbers, probe))
