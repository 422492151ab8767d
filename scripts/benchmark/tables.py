"""Print the results."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from scripts.benchmark.bars import Verdict
from scripts.benchmark.results import RATIOS, CaseResult, Memory

#: Narrow enough for the widest table to fit a terminal.
_STYLE: dict[str, Any] = {"box": SIMPLE_HEAD, "pad_edge": False, "collapse_padding": True}


def ratio_table(results: Sequence[CaseResult]) -> Table:
    """A row for each case: the time of this project, and the ratios."""
    names = [name for name in RATIOS if any(name in result.ratios for result in results)]
    headings = [name.replace("/", "\n/").replace("_", "_\n") for name in names]
    headings = [heading.replace("deterministic", "one\npass") for heading in headings]
    table = Table("network", "B", "P", "plan\nms", *headings, **_STYLE)
    for column in table.columns[1:]:
        column.justify = "right"
    for result in results:
        case, plan = result.case, result.ways.get("plan")
        time = _number(plan.seconds * 1e3 if plan else None)
        ratios = (_number(result.ratios.get(name)) for name in names)
        table.add_row(result.network, str(case.rows), str(case.passes), time, *ratios)
    table.title = "Ratios of median times"
    return table


def skipped_table(results: Sequence[CaseResult]) -> Table:
    """A row for each way that was left out, with its cases and the reason."""
    cases: dict[tuple[str, str, str], list[str]] = {}
    for result in results:
        for name, reason in result.skipped.items():
            cases.setdefault((result.network, name, reason), []).append(str(result.case))
    table = Table("network", "way", "why it was not timed", "B×P", **_STYLE)
    for key, found in cases.items():
        of_network = sum(result.network == key[0] for result in results)
        table.add_row(*key, "all" if len(found) == of_network else ", ".join(found))
    return table


def memory_table(memory: Sequence[Memory]) -> Table:
    """A row for each number of passes."""
    table = Table("P", "peak, MiB", "ratio", **_STYLE)
    table.title = "Peak memory of a process that loads and predicts"
    for entry in memory:
        peak = f"{entry.peak_bytes / 2**20:.0f}"
        table.add_row(f"{entry.case.passes:,}", peak, f"{entry.ratio:.2f}")
    return table


def default_options_table(found: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each way that was also timed alone."""
    title = "dense, alone in a process; tiled and floor with default options"
    table = Table("way", "B", "P", "alone, ms", "in the comparison, ms", title=title, **_STYLE)
    for entry in found:
        times = (entry["seconds"], entry["interleaved_seconds"])
        shown = ("–" if seconds is None else f"{seconds * 1e3:.2f}" for seconds in times)
        table.add_row(entry["way"], str(entry["rows"]), str(entry["passes"]), *shown)
    return table


def bar_table(found: Sequence[Verdict]) -> Table:
    """A row for each limit."""
    table = Table("network", "B", "P", "bar", "measured", "", title="Bars", **_STYLE)
    words = {True: "[green]reached", False: "[red]not reached", None: "[dim]not measured"}
    for verdict in found:
        bar = verdict.bar
        where = bar.network, str(bar.case.rows), f"{bar.case.passes:,}"
        table.add_row(*where, bar.text(), _number(verdict.value), words[verdict.reached])
    return table


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 10 else f"{value:.2f}"
