"""What is kept of the samples of one output, chunk after chunk, for any measure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core import measures
from service.core.moments import Moments, merge, moments

Array = NDArray[Any]


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

    def rows(self, count: int) -> "Summary":
        """Of the first `count` rows."""
        if count == len(self.moments.mean):
            return self
        part = Moments(self.moments.count, self.moments.mean[:count], self.moments.m2[:count])
        return Summary(part, None if self.entropy is None else self.entropy[:count])

    @staticmethod
    def stack(parts: "Sequence[Summary]") -> "Summary":
        """Of all rows of the parts, which have the same number of samples."""
        mean = np.concatenate([part.moments.mean for part in parts])
        m2 = np.concatenate([part.moments.m2 for part in parts])
        entropies = [part.entropy for part in parts if part.entropy is not None]
        whole = Moments(parts[0].moments.count, mean, m2)
        return Summary(whole, np.concatenate(entropies) if entropies else None)


def summarise(samples: Array, with_entropy: bool = False) -> Summary:
    """Summarise (P, B, …) samples; (P, B, …, K) class probabilities `with_entropy`."""
    if not with_entropy:
        return Summary(moments(samples))
    return Summary(moments(samples), measures.entropy(samples).mean(axis=0))


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
