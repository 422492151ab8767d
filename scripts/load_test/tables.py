"""Print the results."""

import math
from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from scripts.load_test.windows import Tally, Window, merged

FIGURES = ("requests\na second", "p50", "p95", "p99", "failed", "turned\naway")


def load_table(windows: Sequence[Window]) -> Table:
    """A row for each number of clients."""
    table = _table("clients", title="times in ms")
    for window in windows:
        table.add_row(str(window.clients), *_cells(window, window.together))
    return table


def scenario_table(window: Window) -> Table:
    """A row for each scenario."""
    table = _table("rows × passes", title=f"{window.clients} clients, times in ms")
    for name in sorted(window.scenarios):
        table.add_row(name, *_cells(window, window.scenarios[name]))
    return table


def remarks(windows: Sequence[Window]) -> list[str]:
    """How many answers were compared with the library's, and which failures occurred."""
    every = merged(windows)
    found = every.together
    lines = [f"{found.compared} answers with a seed compared, {found.mismatches} differ"]
    often = sorted(every.texts.items(), key=lambda item: -item[1])
    return lines + [f"{count} × {escape(text)}" for text, count in often]


def number(value: float) -> str:
    """A number with three digits or more, or a dash for None."""
    if math.isnan(value):
        return "–"
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def _table(first: str, title: str) -> Table:
    table = Table(first, title=title)
    for name in FIGURES:
        table.add_column(name, justify="right")
    return table


def _cells(window: Window, tally: Tally) -> list[str]:
    times = [number(tally.quantile(share)) for share in (0.5, 0.95, 0.99)]
    rate = number(window.rate(tally))
    return [rate, *times, str(tally.failures), str(tally.turned_away)]
