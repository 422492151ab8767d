"""The limits that the results must keep."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from scripts.benchmark.results import CaseResult, Memory
from scripts.benchmark.timing import Case

ONE, MANY, LONG = Case(1, 100), Case(32, 100), Case(1, 1000)
#: Passes of the memory limit, and of the case that it is compared with.
MEMORY_CASES = (Case(1, 1_000), Case(1, 10_000), Case(1, 100_000))


@dataclass(frozen=True)
class Bar:
    """A limit of one ratio.

    Attributes:
        network: name of the network.
        case: of the ratio.
        ratio: of `RATIOS`, or "memory" relative to the case of the fewest passes.
        limit: value of the limit.
        at_most: whether the limit is a maximum; otherwise it is a minimum.
    """

    network: str
    case: Case
    ratio: str
    limit: float
    at_most: bool

    def text(self) -> str:
        """The limit as text."""
        return f"{self.ratio} {'≤' if self.at_most else '≥'} {self.limit:g}"


@dataclass(frozen=True)
class Verdict:
    """A limit, the measured value, and whether it is reached; None: not measured."""

    bar: Bar
    value: float | None

    @property
    def reached(self) -> bool | None:
        """Whether the limit is reached; None if it was not measured."""
        if self.value is None:
            return None
        at_most, limit = self.bar.at_most, self.bar.limit
        return self.value <= limit if at_most else self.value >= limit

    def as_json(self) -> dict[str, object]:
        """The JSON form for the results file."""
        return {**asdict(self.bar), "value": self.value, "reached": self.reached}


def _bars() -> Iterator[Bar]:
    for network in ("dense", "cnn"):
        yield Bar(network, MANY, "plan/floor", 1.10, at_most=True)
        yield Bar(network, LONG, "plan/floor", 1.10, at_most=True)
        yield Bar(network, ONE, "plan/floor", 1.5, at_most=True)
    for case, tiled, traced, eager in ((MANY, 4, 4, 150), (ONE, 1.7, 3, 1000)):
        yield Bar("dense", case, "tiled/plan", tiled, at_most=False)
        yield Bar("dense", case, "tf_function/plan", traced, at_most=False)
        yield Bar("dense", case, "keras_loop/plan", eager, at_most=False)
    for case in (ONE, MANY):
        yield Bar("mobilenet", case, "plan/deterministic", 1.25, at_most=True)
    yield Bar("dense", MEMORY_CASES[-1], "memory", 1.1, at_most=True)


BARS = tuple(_bars())


def verdicts(results: Sequence[CaseResult], memory: Sequence[Memory]) -> list[Verdict]:
    """Every limit with its measured value."""
    found = {
        (result.network, result.case, name): value
        for result in results
        for name, value in result.ratios.items()
    }
    found |= {("dense", entry.case, "memory"): entry.ratio for entry in memory}
    return [Verdict(bar, found.get((bar.network, bar.case, bar.ratio))) for bar in BARS]
