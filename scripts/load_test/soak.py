"""Many clients for a long time, and their effect on the server process."""

import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import psutil
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.progress import track
from rich.table import Table

from scripts.load_test.drive import Order, send
from scripts.load_test.tables import number, remarks
from scripts.load_test.verdict import Bar, answer_bars, memory_bars
from scripts.load_test.windows import Window, merged
from scripts.local_server import LocalServer

#: Seconds between two samples, if this gives at least ten.
INTERVAL = 10.0
MIB = 1 << 20

_COLUMNS = (
    *("requests\na second", "p50", "p99", "failed", "turned\naway"),
    *("maximum\nmemory", "maximum\nwaiting", "requests\nper batch"),
)


@dataclass(frozen=True)
class Sample:
    """The state of the server, and the clients' results since the previous sample.

    Attributes:
        seconds: since the beginning.
        rss: resident memory of the process in bytes.
        waiting: requests in the server's queue.
        slices: number of the server's time slices since its start.
        joined: requests in those time slices.
        window: results of the clients.
    """

    seconds: float
    rss: int
    waiting: float
    slices: float
    joined: float
    window: Window


def soak(
    server: LocalServer, seconds: float, clients: int, turned_away: Sequence[int]
) -> list[Sample]:
    """Send requests, and sample the server process meanwhile.

    Raises:
        RuntimeError: the server ended, or the clients could not be run.
    """
    interval = min(INTERVAL, seconds / 10)
    windows = round(seconds / interval)
    order = Order(server.url, (clients,), 0.0, windows, interval, tuple(turned_away))
    shown = Console(stderr=True)
    return list(track(_samples(server, order), "soak", total=windows, console=shown))


def _samples(server: LocalServer, order: Order) -> Iterator[Sample]:
    seconds = 0.0
    for window in send(order):
        seconds += window.seconds
        yield _sample(server, seconds, window)


def _sample(server: LocalServer, seconds: float, window: Window) -> Sample:
    try:
        rss = psutil.Process(server.process.pid).memory_info().rss
        with urllib.request.urlopen(f"{server.url}/metrics", timeout=60) as answer:
            text = answer.read().decode()
    except (psutil.Error, OSError) as error:
        last = "".join(server.lines[-20:])
        raise RuntimeError(f"the server is gone after {seconds:.0f} s: {error}\n{last}") from error
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for each in family.samples:
            found[each.name] = found.get(each.name, 0.0) + each.value
    return Sample(
        seconds,
        rss,
        found.get("mcdropout_queue_length", 0.0),
        found.get("mcdropout_batch_requests_count", 0.0),
        found.get("mcdropout_batch_requests_sum", 0.0),
        window,
    )


def judge(samples: Sequence[Sample], band: float) -> list[Bar]:
    """All limits and whether they were kept."""
    answers = answer_bars(merged(sample.window for sample in samples).together)
    seconds = [sample.seconds for sample in samples]
    return answers + memory_bars(seconds, [sample.rss for sample in samples], band)


def show(samples: Sequence[Sample], bars: Sequence[Bar], console: Console) -> None:
    """Print the results per minute, and the verdict."""
    console.print(minute_table(samples))
    for line in remarks([sample.window for sample in samples]):
        console.print(line)
    table = Table("bar", "found", "limit", "kept")
    for bar in bars:
        table.add_row(bar.name, bar.found, bar.limit, "yes" if bar.kept else "NO")
    console.print(table)


def minute_table(samples: Sequence[Sample]) -> Table:
    """A row for each minute."""
    table = Table("minute", title="times in ms, memory in MiB")
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    # A sample covers the time before it.
    before = (0.0, 0.0)
    for minute, group in groupby(samples, key=_minute):
        within = list(group)
        table.add_row(str(minute + 1), *_cells(within, before))
        before = (within[-1].slices, within[-1].joined)
    return table


def _minute(sample: Sample) -> int:
    """The minute of the middle of a sample's time."""
    return int((sample.seconds - sample.window.seconds / 2) // 60)


def _cells(samples: Sequence[Sample], before: tuple[float, float]) -> list[str]:
    window = merged(sample.window for sample in samples)
    tally, last = window.together, samples[-1]
    slices, joined = last.slices - before[0], last.joined - before[1]
    return [
        number(window.rate(tally)),
        number(tally.quantile(0.5)),
        number(tally.quantile(0.99)),
        str(tally.failures),
        str(tally.turned_away),
        f"{max(sample.rss for sample in samples) / MIB:.0f}",
        f"{max(sample.waiting for sample in samples):.0f}",
        number(joined / slices if slices else float("nan")),
    ]
