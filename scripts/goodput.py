"""Measure goodput: how much a server answers in time when it is overloaded.

Requests of equal work and with a deadline are sent at fixed times, regardless of earlier answers,
at 1, 2, 4 and 8 times the rate that the server can handle. Goodput is the number of answers within
the deadline per second of sending. Meanwhile, short requests are sent at regular intervals.
"""

import asyncio
import json
import os
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from scripts.benchmark.machine import machine
from scripts.local_server import local_server

ROOT = Path(__file__).resolve().parent.parent
STORE = ROOT / "models" / "store"
URL = "/v1/models/co2:predict"
HEAVY: dict[str, Any] = {"instances": [[1985.0]] * 150, "passes": 100}
SHORT: dict[str, Any] = {"instances": [[1985.0]], "passes": 20}
LOADS = (1, 2, 4, 8)
#: Seconds between two short requests.
EVERY = 0.25


async def send(client: httpx.AsyncClient, body: dict[str, Any]) -> tuple[int, float]:
    """Status and seconds of a request; status 0: there was no answer."""
    started = time.perf_counter()
    try:
        status = (await client.post(URL, json=body)).status_code
    except httpx.HTTPError:
        status = 0
    return status, time.perf_counter() - started


async def capacity(client: httpx.AsyncClient, seconds: float) -> float:
    """Heavy requests per second that a server answers to two clients that wait for each answer."""
    end, done = time.perf_counter() + seconds, 0

    async def ask() -> None:
        nonlocal done
        while time.perf_counter() < end:
            status, _ = await send(client, HEAVY)
            done += status == 200

    await send(client, HEAVY)
    started = time.perf_counter()
    await asyncio.gather(ask(), ask())
    return done / (time.perf_counter() - started)


async def open_loop(
    client: httpx.AsyncClient, body: dict[str, Any], rate: float, seconds: float
) -> list[tuple[int, float]]:
    """Send `rate` requests per second for some seconds; returns the outcome of each."""
    start, sent = time.perf_counter(), []
    for number in range(round(rate * seconds)):
        await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
        sent.append(asyncio.create_task(send(client, body)))
    return await asyncio.gather(*sent)


async def level(
    client: httpx.AsyncClient, rate: float, seconds: float, deadline: float
) -> dict[str, Any]:
    """Run one load: answers in time, and latency of the short requests."""
    heavy, short = await asyncio.gather(
        open_loop(client, {**HEAVY, "timeout": deadline}, rate, seconds),
        open_loop(client, SHORT, 1 / EVERY, seconds),
    )
    taken = [took for status, took in heavy if status == 200 and took <= deadline]
    brief = sorted(took for status, took in short if status == 200)
    return {
        "sent_per_second": rate,
        "answered_in_time_per_second": len(taken) / seconds,
        "median_seconds": statistics.median(taken) if taken else None,
        "statuses": {str(k): n for k, n in sorted(Counter(s for s, _ in heavy).items())},
        "short_answered": len(brief) / len(short),
        "short_p99_seconds": brief[int(0.99 * (len(brief) - 1))] if brief else None,
    }


async def measure(url: str, seconds: float, deadline: float) -> dict[str, Any]:
    """Run all loads, one after the other."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=4 * deadline) as client:
        maximum = await capacity(client, 5.0)
        levels = []
        for load in LOADS:
            levels.append({"load": load, **await level(client, load * maximum, seconds, deadline)})
            await asyncio.sleep(1.0)
    return {"capacity_per_second": maximum, "levels": levels}


def show(found: dict[str, Any], console: Console) -> None:
    """Print a table of the loads."""
    columns = ("× capacity", "sent/s", "in time/s", "median s", "statuses", "short p99 ms")
    table = Table(*columns, title=f"capacity {found['capacity_per_second']:.1f} requests/s")
    for row in found["levels"]:
        median, brief = row["median_seconds"], row["short_p99_seconds"]
        table.add_row(
            *(str(row["load"]), f"{row['sent_per_second']:.1f}"),
            f"{row['answered_in_time_per_second']:.1f}",
            *("" if median is None else f"{median:.2f}", str(row["statuses"])),
            "" if brief is None else f"{brief * 1e3:.0f}",
        )
    console.print(table)


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw goodput over load, both as shares of the capacity."""
    import matplotlib  # takes long to import

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for name, found in results["runs"].items():
        maximum = found["capacity_per_second"]
        shares = [row["answered_in_time_per_second"] / maximum for row in found["levels"]]
        axes.plot([row["load"] for row in found["levels"]], shares, "o-", label=name)
    axes.set_xscale("log", base=2)
    axes.set_xticks(LOADS, [str(load) for load in LOADS])
    axes.set_xlabel("requests sent, × capacity")
    axes.set_ylabel("answered in time, × capacity")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)


def main(
    seconds: Annotated[float, typer.Option(min=1, help="Of each load.")] = 12.0,
    deadline: Annotated[float, typer.Option(min=0.1, help="Seconds for each answer.")] = 2.0,
    label: Annotated[str, typer.Option(help="What the curve is called.")] = "now",
    results: Annotated[Path, typer.Option(help="Where the results are kept, by label.")] = (
        ROOT / "benchmarks" / "goodput.json"
    ),
    figures: Annotated[Path | None, typer.Option(help="Folder to draw goodput.png into.")] = None,
) -> None:
    """Load a server beyond its capacity."""
    env = os.environ | {"MCDROPOUT_ACCESS_LOG": "false", "MCDROPOUT_MAX_QUEUE": "100000"}
    with local_server(STORE, env) as server:
        found = asyncio.run(measure(server.url, seconds, deadline))
    show(found, Console())
    kept = json.loads(results.read_text()) if results.exists() else {}
    runs = {**kept.get("runs", {}), label: found}
    kept = {"deadline_seconds": deadline, "seconds": seconds, "machine": machine(), "runs": runs}
    results.write_text(json.dumps(kept, indent=1) + "\n")
    if figures:
        draw(kept, figures / "goodput.png")


if __name__ == "__main__":
    typer.run(main)
