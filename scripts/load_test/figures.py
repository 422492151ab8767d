"""Draw the results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

from scripts.load_test.soak import MIB, Sample
from scripts.load_test.verdict import WARM_UP
from scripts.load_test.windows import Window

matplotlib.use("Agg")
from matplotlib import pyplot as plt

#: Colors of Okabe and Ito's palette for color blindness.
COLORS = {50: "#56B4E9", 95: "#E69F00", 99: "#D55E00"}
OWN = "#0072B2"


def draw_sweep(windows: Sequence[Window], path: Path) -> None:
    """Latency and throughput against clients."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    clients = [window.clients for window in windows]
    every = [window.together for window in windows]
    for percent, color in COLORS.items():
        times = [tally.quantile(percent / 100) for tally in every]
        left.plot(clients, times, "o-", color=color, label=f"p{percent}")
    left.set(title="latency, ms", yscale="log")
    left.legend()
    rates = [window.rate(tally) for window, tally in zip(windows, every, strict=True)]
    right.plot(clients, rates, "o-", color=OWN)
    right.set(title="requests a second", ylim=(0, None))
    for axes in (left, right):
        axes.set(xscale="log", xlabel="clients")
        axes.set_xticks(clients, [str(number) for number in clients])
        axes.grid(alpha=0.3)
        axes.minorticks_off()
    _save(figure, path)


def draw_soak(samples: Sequence[Sample], path: Path) -> None:
    """Memory and p99 over time; the warm-up is gray."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(8, 5), sharex=True, layout="constrained")
    minutes = [sample.seconds / 60 for sample in samples]
    sizes = [sample.rss / MIB for sample in samples]
    above.plot(minutes, sizes, color=OWN)
    above.set(title="memory of the server, MiB", ylim=(0, 1.2 * max(sizes)))
    times = [sample.window.together.quantile(0.99) for sample in samples]
    below.plot(minutes, times, color=COLORS[99])
    below.set(title="p99 latency, ms", xlabel="minutes", ylim=(0, None))
    for axes in (above, below):
        axes.axvspan(0, WARM_UP * minutes[-1], color="gray", alpha=0.15)
        axes.grid(alpha=0.3)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
