"""Measure the server and write the results.

    python -m scripts.server_benchmark [--seconds 4] [--rounds 3] [--figures docs/images]

Throughput and latency for 1 to 64 clients, of the server with and without batching and of a
plain FastAPI app; and the time that HTTP adds to a call of the library. All of it uses the
benchmark's dense network, with one row and 100 passes per request, in one interleaved run.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from scripts.benchmark.machine import machine
from scripts.local_server import free_port, local_server
from scripts.server_benchmark.overhead import PASSES, overhead

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "benchmarks" / "server.json"
CLIENTS = (1, 2, 4, 8, 16, 32, 64)
SERVERS = {
    "server": "this server",
    "unbatched": "this server, batching off",
    "plain": "plain FastAPI, tiled",
}
_EXPORT = """
import sys
from models.export import export_model
from scripts.benchmark.networks import dense
export_model(dense().model, sys.argv[1], task="classification", measures=())
"""


@contextmanager
def plain_app(model: Path) -> Iterator[str]:
    """Run the plain app in its own process; yields its URL."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "uvicorn", "scripts.server_benchmark.plain_app:app"]
    command += ["--port", str(port), "--no-access-log", "--log-level", "warning"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"MODEL": str(model)})
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            try:
                urllib.request.urlopen(f"{url}/health/live").close()
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def measure(url: str, bodies: list[str], clients: int, seconds: float) -> dict[str, float]:
    """Requests per second, and quantiles of the latency in milliseconds."""
    command = [sys.executable, "-m", "scripts.server_benchmark.clients"]
    command += [f"{url}/v1/models/dense:predict", str(clients), str(seconds)]
    ended = subprocess.run(
        command, input=json.dumps(bodies), capture_output=True, text=True, cwd=ROOT, check=True
    )
    found = json.loads(ended.stdout)
    if set(found["statuses"]) != {"200"}:
        raise RuntimeError(f"{url} answered {found['statuses']}")
    times = np.array(found["times"]) * 1e3
    return {
        "requests_per_second": len(times) / found["seconds"],
        **{f"p{q}": float(np.percentile(times, q)) for q in (50, 95, 99)},
    }


def table(results: Mapping[str, Any]) -> Table:
    """Throughput and p99 of each server."""
    shown = Table("clients", title=f"requests/s (p50, p99 in ms), 1 row × {PASSES} passes")
    for name in SERVERS.values():
        shown.add_column(name, justify="right")
    for clients in CLIENTS:
        cells = []
        for server in SERVERS:
            found = results["load"][server][str(clients)]
            quantiles = f"({found['p50']:.1f}, {found['p99']:.1f})"
            cells.append(f"{found['requests_per_second']:.0f} {quantiles}")
        shown.add_row(str(clients), *cells)
    return shown


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Throughput and p99 against clients."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    colors = dict(zip(SERVERS, ("#0072B2", "#56B4E9", "#D55E00"), strict=True))
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, key, title in zip(
        axes, ("requests_per_second", "p99"), ("requests a second", "p99 latency, ms"), strict=True
    ):
        for server, name in SERVERS.items():
            found = results["load"][server]
            values = [found[str(clients)][key] for clients in CLIENTS]
            axis.plot(CLIENTS, values, "o-", color=colors[server], label=name)
        axis.set(xscale="log", xlabel="clients", title=title, ylim=(0, None))
        axis.set_xticks(CLIENTS, [str(clients) for clients in CLIENTS])
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(path, dpi=110)


def run(seconds: float, rounds: int) -> dict[str, Any]:
    """All measurements; each load is measured `rounds` times on each server, alternately."""
    rng = np.random.default_rng(0)
    bodies = [
        json.dumps({"instances": rng.random((1, 784)).round(4).tolist(), "passes": PASSES})
        for _ in range(64)
    ]
    with ExitStack() as stack:
        store = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model = store / "dense" / "1" / "model.onnx"
        model.parent.mkdir(parents=True)
        exported = store.with_suffix(".onnx")
        subprocess.run([sys.executable, "-c", _EXPORT, str(exported)], cwd=ROOT, check=True)
        shutil.move(exported, model)
        # None of the three writes an access log.
        quiet = os.environ | {"MCDROPOUT_ACCESS_LOG": "false"}
        ours = stack.enter_context(local_server(store, quiet))
        alone = quiet | {"MCDROPOUT_MAX_BATCH_ROWS": "1"}
        urls = {
            "server": ours.url,
            "unbatched": stack.enter_context(local_server(store, alone)).url,
            "plain": stack.enter_context(plain_app(model)),
        }
        single = overhead(model, ours.url, "dense", 200)
        every: dict[str, dict[str, list[dict[str, float]]]] = {
            server: {str(clients): [] for clients in CLIENTS} for server in SERVERS
        }
        turns = [(c, s) for _ in range(rounds) for c in CLIENTS for s in SERVERS]
        for clients, server in track(turns, "load", console=Console(stderr=True)):
            found = measure(urls[server], bodies, clients, seconds)
            every[server][str(clients)].append(found)
    load = {
        server: {
            clients: {key: statistics.median(one[key] for one in found) for key in found[0]}
            for clients, found in by_clients.items()
        }
        for server, by_clients in every.items()
    }
    return {"machine": machine(), "overhead": single, "load": load}


def main(
    seconds: Annotated[float, typer.Option(help="Of one load on one server.")] = 4.0,
    rounds: Annotated[int, typer.Option(help="How often each is measured.")] = 3,
    figures: Annotated[Path | None, typer.Option(help="Folder to draw into.")] = None,
) -> None:
    """Measure, print, and write benchmarks/server.json."""
    results = run(seconds, rounds)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    console = Console()
    console.print(table(results))
    console.print(results["overhead"])
    at32 = {server: results["load"][server]["32"] for server in SERVERS}
    for other in ("plain", "unbatched"):
        ratio = at32["server"]["requests_per_second"] / at32[other]["requests_per_second"]
        tail = at32["server"]["p99"] / at32[other]["p99"]
        console.print(
            f"32 clients, against {SERVERS[other]}: {ratio:.2f} × requests/s, p99 {tail:.2f} ×"
        )
    if figures:
        draw(results, figures / "server.png")


if __name__ == "__main__":
    typer.run(main)
