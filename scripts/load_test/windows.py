"""The clients' results in a window of time."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

#: Maximum number of different failure texts that are kept.
_MAX_TEXTS = 50


@dataclass
class Tally:
    """Counts of one scenario, or of all.

    Attributes:
        times: milliseconds of each right answer.
        failures: requests with a wrong answer, or none.
        turned_away: requests that the server refused because it was too busy.
        compared: answers that were compared with the library's.
        mismatches: those of them, including failures, that differed.
    """

    times: list[float] = field(default_factory=list)
    failures: int = 0
    turned_away: int = 0
    compared: int = 0
    mismatches: int = 0

    def quantile(self, share: float) -> float:
        """This quantile of the times of right answers, in milliseconds."""
        if not self.times:
            return math.nan
        return float(np.quantile(self.times, share, method="inverted_cdf"))

    def add(self, other: "Tally") -> None:
        """Add the counts of another tally."""
        self.times += other.times
        self.failures += other.failures
        self.turned_away += other.turned_away
        self.compared += other.compared
        self.mismatches += other.mismatches


@dataclass
class Window:
    """A window of time.

    Attributes:
        clients: number of concurrent clients.
        seconds: length of the window; failures may be from shortly before.
        scenarios: tallies by name.
        texts: text of a failure to its frequency.
    """

    clients: int = 0
    seconds: float = 0.0
    scenarios: dict[str, Tally] = field(default_factory=dict)
    texts: dict[str, int] = field(default_factory=dict)

    @property
    def together(self) -> Tally:
        """The tally of all scenarios."""
        every = Tally()
        for tally in self.scenarios.values():
            every.add(tally)
        return every

    def rate(self, tally: Tally) -> float:
        """Right answers per second."""
        return len(tally.times) / self.seconds if self.seconds else math.nan

    def tally(self, scenario: str) -> Tally:
        """The tally of one scenario."""
        return self.scenarios.setdefault(scenario, Tally())

    def note(self, text: str, times: int = 1) -> None:
        """Count a failure by its text."""
        if text in self.texts or len(self.texts) < _MAX_TEXTS:
            self.texts[text] = self.texts.get(text, 0) + times

    def as_json(self) -> dict[str, Any]:
        """The form that `from_json` reads."""
        return asdict(self)


def from_json(found: dict[str, Any]) -> Window:
    """Read the form of `Window.as_json`."""
    scenarios = {name: Tally(**tally) for name, tally in found["scenarios"].items()}
    return Window(found["clients"], found["seconds"], scenarios, found["texts"])


def merged(windows: Iterable[Window]) -> Window:
    """Consecutive windows as one."""
    every = Window()
    for window in windows:
        every.clients = max(every.clients, window.clients)
        every.seconds += window.seconds
        for text, times in window.texts.items():
            every.note(text, times)
        for name, tally in window.scenarios.items():
            every.tally(name).add(tally)
    return every


def figures(window: Window, tally: Tally) -> dict[str, float | None]:
    """The figures of a load that are stored; times in milliseconds; None: unknown."""
    found = {
        "requests": len(tally.times),
        "requests_per_second": window.rate(tally),
        **{f"p{q}": tally.quantile(q / 100) for q in (50, 95, 99)},
        "failures": tally.failures,
        "turned_away": tally.turned_away,
    }
    return {key: None if math.isnan(value) else round(value, 3) for key, value in found.items()}
