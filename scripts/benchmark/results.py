"""The results file: cases, their ratios, and memory."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from scripts.benchmark.timing import Case, Measured, Timing

#: Name of a ratio to its numerator and denominator, which are ways.
RATIOS = {
    f"{above}/{below}": (above, below)
    for above, below in (
        ("plan", "floor"),
        ("tiled", "plan"),
        ("loop", "plan"),
        ("tf_function", "plan"),
        ("torch_tiled", "plan"),
        ("keras_loop", "plan"),
        ("plan", "deterministic"),
    )
}


@dataclass(frozen=True)
class CaseResult:
    """One case of one network.

    Attributes:
        network: name of the network.
        case: rows and passes.
        ways: name to timing.
        skipped: name to the reason for which it was not timed.
        ratios: of `RATIOS`, of the medians, if both ways were timed.
    """

    network: str
    case: Case
    ways: Mapping[str, Timing]
    skipped: Mapping[str, str]
    ratios: Mapping[str, float]

    @classmethod
    def of(cls, network: str, case: Case, measured: Measured) -> "CaseResult":
        """The result with its ratios."""
        times = {name: timing.seconds for name, timing in measured.timings.items()}
        ratios = {
            name: times[above] / times[below]
            for name, (above, below) in RATIOS.items()
            if above in times and below in times
        }
        return cls(network, case, measured.timings, measured.skipped, ratios)

    def as_json(self) -> dict[str, object]:
        """The JSON form for the results file."""
        return {
            "network": self.network,
            **asdict(self.case),
            "ways": {name: asdict(timing) for name, timing in self.ways.items()},
            "skipped": dict(self.skipped),
            "ratios": {name: round(ratio, 4) for name, ratio in self.ratios.items()},
        }


@dataclass(frozen=True)
class Memory:
    """Peak resident memory of a fresh process that loads the model and predicts once, in bytes."""

    case: Case
    peak_bytes: int
    ratio: float  # relative to the first case

    @classmethod
    def of(cls, peaks: Mapping[Case, int]) -> list["Memory"]:
        """Each memory relative to the first."""
        first = next(iter(peaks.values()), 0)
        return [cls(case, peak, peak / first) for case, peak in peaks.items()]

    def as_json(self) -> dict[str, object]:
        """The JSON form for the results file."""
        return {**asdict(self.case), "peak_bytes": self.peak_bytes, "ratio": round(self.ratio, 4)}
