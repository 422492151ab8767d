"""What is kept of the samples of one output, chunk after chunk, for any measure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core import measures
from service.core.moments import Moments, Sums, merge
from service.core.ordered_sum import OrderedSum

Array = NDArray[Any]
Rows = slice | NDArray[np.intp]


@dataclass(frozen=True)
class Summary:
    """What P samples of an output say, in memory that does not grow with P.

    Attributes:
        moments: of (B, …) outputs.
        entropy: (B, …) float64, mean over passes of each pass's entropy in nats, for
            a measure that needs it; else None.
    """

    moments: Moments
    entropy: Array | None = None

    def merge(self, other: "Summary") -> "Summary":
        """The summary of the samples of both."""
        merged = merge(self.moments, other.moments)
        if self.entropy is None or other.entropy is None:
            return Summary(merged)
        share = other.moments.count / merged.count
        return Summary(merged, self.entropy + (other.entropy - self.entropy) * share)

    def rows(self, rows: Rows) -> "Summary":
        """Of some of the B rows."""
        part = Moments(self.moments.count, self.moments.mean[rows], self.moments.m2[rows])
        return Summary(part, None if self.entropy is None else self.entropy[rows])

    @staticmethod
    def stack(parts: "Sequence[Summary]") -> "Summary":
        """Of all rows of the parts, which have the same number of samples."""
        if len(parts) == 1:
            return parts[0]
        mean = np.concatenate([part.moments.mean for part in parts])
        m2 = np.concatenate([part.moments.m2 for part in parts])
        entropies = [part.entropy for part in parts if part.entropy is not None]
        whole = Moments(parts[0].moments.count, mean, m2)
        return Summary(whole, np.concatenate(entropies) if entropies else None)


@dataclass(frozen=True)
class Running:
    """A summary on its way: it takes chunk after chunk, and is the same however they were cut.

    Attributes:
        sums: of (B, …) outputs.
        entropy: of (B, …) entropies of each pass, if they are needed.
    """

    sums: Sums
    entropy: OrderedSum | None

    @classmethod
    def start(cls, samples: Array, with_entropy: bool = False) -> "Running":
        """Of no samples; (P, B, …) `samples` are the first that will be added."""
        sums = Sums.start(samples)
        return cls(sums, OrderedSum.zero(sums.first.shape[:-1]) if with_entropy else None)

    def add(self, samples: Array) -> "Running":
        """With (P, B, …) samples more; (P, B, …, K) class probabilities with entropies."""
        entropy = self.entropy
        if entropy is not None:
            entropy = entropy.add(measures.entropy(samples))
        return Running(self.sums.add(samples), entropy)

    def rows(self, rows: Rows) -> "Running":
        """Of some of the B rows."""
        entropy = None if self.entropy is None else self.entropy.rows(rows)
        return Running(self.sums.rows(rows), entropy)

    def summary(self) -> Summary:
        """Of all samples so far."""
        entropy = None if self.entropy is None else self.entropy.value / self.sums.count
        return Summary(self.sums.moments(), entropy)


def summarise(samples: Array, with_entropy: bool = False) -> Summary:
    """Summarise (P, B, …) samples; (P, B, …, K) class probabilities `with_entropy`."""
    return Running.start(samples, with_entropy).add(samples).summary()


def constant(output: Array, passes: int, with_entropy: bool = False) -> Summary:
    """Summary of an output (B, …) that is the same in all passes."""
    mean = output.astype(np.float64)
    entropy = measures.entropy(mean) if with_entropy else None
    return Summary(Moments(passes, mean, np.zeros_like(mean)), entropy)


def _predictive_entropy(summary: Summary) -> Array:
    return measures.predictive_entropy(summary.moments.mean)


def _mutual_information(summary: Summary) -> Array:
    if summary.entropy is None:
        raise ValueError("the summary was made without entropies")
    return measures.mutual_information(summary.moments.mean, summary.entropy)


#: What a classification request may ask for by name.
CLASSIFICATION_MEASURES: Mapping[str, Callable[[Summary], Array]] = {
    "predictive_entropy": _predictive_entropy,
    "mutual_information": _mutual_information,
}

#: Of these, those that need `Summary.entropy`.
NEEDS_ENTROPY = frozenset({"mutual_information"})
