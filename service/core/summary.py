"""What is kept of the samples of one output, chunk after chunk, for mean, variance, measures."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.block_sum import BlockSum
from service.core.measures.base import Needs, Sampled
from service.core.measures.bound import BoundMeasure, Source
from service.core.moments import Moments, Sums, merge

Array = NDArray[Any]
Rows = slice | NDArray[np.intp]


@dataclass(frozen=True)
class Summary:
    """What the samples of P passes, J of each, say of an output.

    Attributes:
        moments: of (B, …) outputs.
        states: of the measures that need a stream.
        samples: (P·J, B, …), if a measure needs them.
        off: (B, …) with dropout off, if a measure needs it.
    """

    moments: Moments
    states: Mapping[BoundMeasure, Any] = field(default_factory=dict)
    samples: Array | None = None
    off: Array | None = None

    @property
    def sampled(self) -> Sampled:
        """What measures see of it."""
        return Sampled(self.moments, self.samples, self.off)

    @property
    def kept_bytes(self) -> int:
        """Bytes of the samples."""
        return 0 if self.samples is None else self.samples.nbytes

    @property
    def nbytes(self) -> int:
        """About how many bytes it takes to finish it."""
        return 2 * self.moments.mean.nbytes + self.kept_bytes


@dataclass(frozen=True)
class Running:
    """A summary in progress: updated chunk by chunk, with a result independent of the chunks.

    Attributes:
        sums: of (B, …) outputs.
        states: of the measures that need a stream.
        chunks: (P·J, B, …) samples in order, if a measure needs them; else None.
    """

    sums: Sums
    states: Mapping[BoundMeasure, Any]
    chunks: tuple[Array, ...] | None

    @classmethod
    def start(
        cls,
        source: Source,
        samples: Array,
        measures: Collection[BoundMeasure] = (),
        *,
        block: int = 1,
        inner: int = 1,
    ) -> "Running":
        """Of no samples.

        Args:
            source: what they are of.
            samples: (P·J, B, …), the first that will be added.
            measures: of all outputs.
            block, inner: see `Sums.start`.
        """
        mine = dict.fromkeys(one.root for one in measures if source in one.sources)
        states = {m: m.init(samples) for m in mine if m.needs is Needs.STREAM}
        keep = any(measure.needs is Needs.SAMPLES for measure in mine)
        return cls(Sums.start(samples, block, inner), states, () if keep else None)

    @property
    def kept_bytes(self) -> int:
        """Bytes of the samples that are kept so far."""
        return sum(chunk.nbytes for chunk in self.chunks or ())

    def add(self, samples: Array) -> "Running":
        """With (P·J, B, …) samples more."""
        states = {measure: measure.update(state, samples) for measure, state in self.states.items()}
        chunks = None if self.chunks is None else (*self.chunks, samples)
        return Running(self.sums.add(samples), states, chunks)

    def rows(self, rows: Rows) -> "Running":
        """Of some of the B rows."""
        states = {measure: measure.take(state, rows) for measure, state in self.states.items()}
        # Copies: a view would keep the samples of the rows that have left.
        chunks = None if self.chunks is None else tuple(c[:, rows].copy() for c in self.chunks)
        return Running(self.sums.rows(rows), states, chunks)

    def moments(self) -> Moments:
        """Of all samples so far."""
        return self.sums.moments()

    def summary(self) -> Summary:
        """Of all samples so far."""
        samples = None if self.chunks is None else np.concatenate(self.chunks)
        return Summary(self.moments(), self.states, samples)


@dataclass(frozen=True)
class Merged:
    """A summary in progress, of chunks that the graph reduced to their moments.

    Attributes:
        first: (B, …) float64, mean of the first chunk.
        moments: so far, as if all passes were independent.
        total: of differences from `first`; None: passes are independent.
    """

    first: NDArray[np.float64]
    moments: Moments
    total: BlockSum | None

    @classmethod
    def start(cls, chunk: Moments, block: int = 1) -> "Merged":
        """Of no samples; `chunk` is the first that will be added, `block` as in `Running`."""
        zero = np.zeros_like(chunk.mean)
        total = BlockSum.zero(zero.shape, block) if block > 1 else None
        return cls(chunk.mean, Moments(0, zero, zero), total)

    def add(self, chunk: Moments) -> "Merged":
        """With the moments of (B, …) samples more, all of one block."""
        sums = chunk.count * (chunk.mean - self.first)
        total = self.total and self.total.add_sum(sums, chunk.count)
        return Merged(self.first, merge(self.moments, chunk), total)

    def rows(self, rows: Rows) -> "Merged":
        """Of some of the B rows."""
        moments = self.moments.map(lambda y: y[rows])
        return Merged(self.first[rows], moments, self.total and self.total.rows(rows))

    def summary(self) -> Summary:
        """Of all samples so far."""
        coupled = self.total and self.total.estimates(self.moments.m2)
        return Summary(replace(self.moments, coupled=coupled))

    @property
    def kept_bytes(self) -> int:
        """No samples are kept."""
        return 0


def constant(
    source: Source,
    values: Array,
    passes: int,
    measures: Collection[BoundMeasure] = (),
    inner: int = 1,
) -> Summary:
    """Summary of (B, …) values that are the same in all passes, of `inner` samples each."""
    mean = values.astype(np.float64)
    one = Running.start(source, mean[None], measures).add(mean[None]).summary()
    moments = Moments(passes, mean, np.zeros_like(mean), inner=inner)
    return Summary(moments, one.states, one.samples)


def value(measure: BoundMeasure, summaries: Mapping[Source, Summary]) -> Array:
    """(B, …) values of a measure, of summaries that were made for it."""
    own = summaries[measure.output]
    noise = None if measure.noise is None else summaries[measure.noise].sampled
    return measure.finalize(own.states.get(measure.root), own.sampled, noise)


def need_samples(measures: Iterable[BoundMeasure]) -> bool:
    """Whether moments do not suffice, so that samples may not be reduced in the graph."""
    return any(m.needs in (Needs.STREAM, Needs.SAMPLES) or m.noise for m in measures)
