"""Increasing numbers of clients, each load for the same time."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from scripts.benchmark.machine import machine
from scripts.load_test.drive import Order, send
from scripts.load_test.tables import load_table, remarks, scenario_table
from scripts.load_test.windows import Window, figures, merged


def sweep(
    url: str, loads: Sequence[int], seconds: float, turned_away: Sequence[int]
) -> list[Window]:
    """Send requests; the first fifth of each load is the warm-up.

    Args:
        url: of the server.
        loads: numbers of clients.
        seconds: of a load.
        turned_away: statuses that are not failures.

    Raises:
        RuntimeError: the clients could not be run.
    """
    order = Order(url, tuple(loads), seconds / 5, 1, seconds * 4 / 5, tuple(turned_away))
    shown = Console(stderr=True)
    return list(track(send(order), "load", total=len(loads), console=shown))


def passed(windows: Sequence[Window]) -> bool:
    """Whether each load had answers and no failure."""
    every = [window.together for window in windows]
    return bool(every) and all(tally.times and not tally.failures for tally in every)


def show(windows: Sequence[Window], console: Console) -> None:
    """Print the results."""
    console.print(load_table(windows))
    console.print(scenario_table(_highest(windows)))
    for line in remarks(windows):
        console.print(line)


def keep(windows: Sequence[Window], results: Path, picture: Path) -> None:
    """Write the figures, and draw them."""
    from scripts.load_test.figures import draw_sweep  # slow to import

    for path in (results, picture):
        path.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps(as_json(windows), indent=1, ensure_ascii=False) + "\n")
    draw_sweep(windows, picture)


def as_json(windows: Sequence[Window]) -> dict[str, Any]:
    """All figures; times are in milliseconds."""
    found, highest = merged(windows).together, _highest(windows)
    return {
        "machine": machine(),
        "loads": {str(window.clients): figures(window, window.together) for window in windows},
        "clients_of_scenarios": highest.clients,
        "scenarios": {
            name: figures(highest, tally) for name, tally in sorted(highest.scenarios.items())
        },
        "compared": found.compared,
        "mismatches": found.mismatches,
    }


def _highest(windows: Sequence[Window]) -> Window:
    return max(windows, key=lambda window: window.clients)
