"""What stochastic passes say of rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OutputPrediction:
    """What the passes say of one output. Equal to another with the same numbers.

    Attributes:
        mean: (B, …) float64, mean over passes.
        variance: (B, …) float64, unbiased sample variance over passes.
        measures: name to (B, …) float64, int64 or str, as asked for.
    """

    mean: Float64
    variance: Float64
    measures: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OutputPrediction):
            return NotImplemented
        return (
            np.array_equal(self.mean, other.mean)
            and np.array_equal(self.variance, other.variance)
            and self.measures.keys() == other.measures.keys()
            and all(np.array_equal(y, other.measures[k]) for k, y in self.measures.items())
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, eq=False)
class Stopped:
    """How many passes each row had by a stopping rule. Equal to another with the same numbers.

    Attributes:
        passes: (B,) int64, number of passes.
        settled: (B,) bool, whether the rule was met; if not, the row had the maximum.
    """

    passes: NDArray[np.int64]
    settled: NDArray[np.bool_]

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> "Stopped | None":
        """From `by_name`, or lists of the same names; None if there are none."""
        if "row_passes" not in answer:
            return None
        settled = np.asarray(answer["row_settled"], np.bool_)
        return cls(np.asarray(answer["row_passes"], np.int64), settled)

    @property
    def by_name(self) -> Mapping[str, NDArray[Any]]:
        """As in answers: "row_passes" and "row_settled"."""
        return {"row_passes": self.passes, "row_settled": self.settled}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Stopped):
            return NotImplemented
        return np.array_equal(self.passes, other.passes) and np.array_equal(
            self.settled, other.settled
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Prediction(Mapping[str, OutputPrediction]):
    """Output name to prediction. With one output, `mean` and `variance` are its own.

    Equal to another of its class with the same passes, seed and numbers.

    Attributes:
        outputs: the same mapping.
        passes: that were run; of the row with the most.
        seed: ask with it again for the same answer.
        stopped: passes of each row, if a stopping rule chose them.
        final: whether it is the answer; else it is a running estimate, after the first `passes`.
    """

    outputs: Mapping[str, OutputPrediction]
    passes: int
    seed: int
    stopped: Stopped | None = field(default=None, kw_only=True, repr=False)
    final: bool = field(default=True, kw_only=True, compare=False, repr=False)

    def __getitem__(self, name: str) -> OutputPrediction:
        return self.outputs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.outputs)

    @property
    def mean(self) -> Float64:
        """(B, …) float64, of the only output."""
        return self._only().mean

    @property
    def variance(self) -> Float64:
        """(B, …) float64, of the only output."""
        return self._only().variance

    @property
    def measures(self) -> Mapping[str, NDArray[Any]]:
        """Measures of the only output."""
        return self._only().measures

    @property
    def row_passes(self) -> NDArray[np.int64] | None:
        """(B,) passes of each row, if a stopping rule chose them."""
        return None if self.stopped is None else self.stopped.passes

    @property
    def row_settled(self) -> NDArray[np.bool_] | None:
        """(B,) whether each row met the stopping rule, if there was one."""
        return None if self.stopped is None else self.stopped.settled

    @property
    def by_row(self) -> Mapping[str, NDArray[Any]]:
        """`row_passes` and `row_settled`, (B,), by name; empty without a stopping rule."""
        return {} if self.stopped is None else self.stopped.by_name

    def _only(self) -> OutputPrediction:
        if len(self.outputs) > 1:
            raise AttributeError(
                f"the model has several outputs; name one: prediction[{next(iter(self))!r}].mean "
                f"(there are {list(self)})."
            )
        return next(iter(self.outputs.values()))
