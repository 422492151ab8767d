"""What a rule came to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scripts.passes.pools import Pool
from scripts.passes.simulate import Runs
from service.protocol.adaptive import Decision


@dataclass(frozen=True)
class Passes:
    """Number of passes over all rows and runs."""

    mean: float
    p50: float
    p99: float

    @classmethod
    def of(cls, runs: Runs) -> "Passes":
        """Of all runs."""
        p50, p99 = np.quantile(runs.passes, (0.5, 0.99))
        return cls(float(runs.passes.mean()), float(p50), float(p99))


@dataclass(frozen=True)
class ToleranceResult:
    """Runs to a tolerance.

    Attributes:
        model: what ran.
        tolerance, maximum: the rule.
        passes: that were used.
        settled: share of the runs that met the rule.
        typical_error: root mean square error of the mean of the widest element of a row.
        worst_error: largest root mean square error of any element of any row.
        within: share of the runs of which no element is off by more than two tolerances.
        coverage: share of the reported intervals of 95 % that have the mean of the reference, of
            the widest element of each row.
        coverage_wide: the same of the rows whose widest element has a standard deviation of ten
            tolerances or more.
        fixed_passes: number of passes of all rows that has the same worst error.
        saved: these, as a multiple of the mean of the passes used.
    """

    model: str
    tolerance: float
    maximum: int
    passes: Passes
    settled: float
    typical_error: float
    worst_error: float
    within: float
    coverage: float
    coverage_wide: float
    fixed_passes: float
    saved: float

    @classmethod
    def of(
        cls, model: str, tolerance: float, maximum: int, runs: Runs, pool: Pool
    ) -> "ToleranceResult":
        """Of runs on the rows of a pool."""
        passes, widest = Passes.of(runs), pool.variance.argmax(axis=1)
        squares = (runs.error**2).mean(axis=1)  # (B, K)
        rows = np.arange(len(widest))
        covered = runs.covered[rows, :, widest]  # (B, R)
        wide = np.sqrt(pool.variance[rows, widest]) >= 10 * tolerance
        worst = float(np.sqrt(squares.max()))
        fixed = float(pool.variance.max()) / worst**2
        return cls(
            model,
            tolerance,
            maximum,
            passes,
            settled=float(runs.settled.mean()),
            typical_error=float(np.sqrt(squares[rows, widest].mean())),
            worst_error=worst,
            within=float((np.abs(runs.error) <= 2 * tolerance).all(axis=2).mean()),
            coverage=float(covered.mean()),
            coverage_wide=float(covered[wide].mean()),
            fixed_passes=fixed,
            saved=fixed / passes.mean,
        )

    @property
    def title(self) -> str:
        """What it is."""
        return f"{self.model}, tolerance {self.tolerance:g}"

    @property
    def cells(self) -> tuple[str, ...]:
        """Of a table, after the passes."""
        error = f"{self.typical_error:.4f}, worst row {self.worst_error:.4f}"
        saved = f"{self.saved:.1f} × of {self.fixed_passes:.0f}"
        return (
            f"{self.settled:.1%}",
            error,
            f"{self.within:.3f}",
            f"{self.coverage:.3f}, wide {self.coverage_wide:.3f}",
            saved,
        )


@dataclass(frozen=True)
class DecisionResult:
    """Runs to a decision on the class.

    Attributes:
        confidence, maximum: the rule.
        passes: that were used.
        undecided: share of the runs that had the maximum without a decision.
        wrong: share of all runs whose decision is not the class of the reference.
        wrong_fixed: the same of runs that all have the maximum and are all decided.
    """

    confidence: float
    maximum: int
    passes: Passes
    undecided: float
    wrong: float
    wrong_fixed: float

    @classmethod
    def of(cls, asked: Decision, runs: Runs, fixed: Runs) -> "DecisionResult":
        """Of runs by the rule, and of runs with its maximum of passes."""
        wrong = _wrong(runs) & runs.settled
        return cls(
            asked.confidence,
            int(fixed.passes.max()),
            Passes.of(runs),
            undecided=float(1 - runs.settled.mean()),
            wrong=float(wrong.mean()),
            wrong_fixed=float(_wrong(fixed).mean()),
        )

    @property
    def title(self) -> str:
        """What it is."""
        return f"digits, class at {self.confidence:.0%}"

    @property
    def cells(self) -> tuple[str, ...]:
        """Of a table, after the passes."""
        wrong = f"wrong {self.wrong:.3%}, fixed {self.maximum}: {self.wrong_fixed:.3%}"
        return f"{1 - self.undecided:.1%}", wrong, "", "", ""


def _wrong(runs: Runs) -> NDArray[np.bool_]:
    """(B, R) whether the class is another than that of the reference."""
    wrong: NDArray[np.bool_] = runs.mean.argmax(axis=2) != runs.truth.argmax(axis=1)[:, None]
    return wrong
