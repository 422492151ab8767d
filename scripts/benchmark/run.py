"""Run all measurements, one network after the other."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import Progress

from scripts.benchmark.bars import LONG, MANY, MEMORY_CASES, ONE, Verdict, verdicts
from scripts.benchmark.floor import write_files
from scripts.benchmark.fresh import WAYS, in_fresh_process
from scripts.benchmark.keras_ways import keras_ways
from scripts.benchmark.machine import origin
from scripts.benchmark.networks import Network, build_network
from scripts.benchmark.onnx_ways import Files, onnx_ways
from scripts.benchmark.parts import parts
from scripts.benchmark.results import CaseResult, Memory
from scripts.benchmark.timing import Case, Effort, measure
from scripts.benchmark.torch_ways import torch_way
from scripts.benchmark.ways import rows
from service import load_model

#: The cases for which parts and default options are measured.
SHOWN = (ONE, LONG, MANY)
#: The network for which default options and memory are measured.
SHOWN_NETWORK = "dense"


@dataclass
class Report:
    """All results.

    Attributes:
        cases: of all networks.
        memory: by passes; empty if the network for it was not selected.
        default_options: ways alone in a process; `tiled` and `floor` with default options of
            ONNX Runtime.
        parts: network to case to the time of each part of a call, in seconds.
    """

    cases: list[CaseResult] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    default_options: list[dict[str, object]] = field(default_factory=list)
    parts: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    def verdicts(self) -> list[Verdict]:
        """The limits and whether they are reached."""
        return verdicts(self.cases, self.memory)

    def as_json(self, effort: Effort) -> dict[str, Any]:
        """The JSON form for the results file."""
        return {
            **origin(),
            "effort": asdict(effort),
            "cases": [result.as_json() for result in self.cases],
            "default_options": self.default_options,
            "memory": [entry.as_json() for entry in self.memory],
            "parts": self.parts,
            "bars": [verdict.as_json() for verdict in self.verdicts()],
        }


def run(names: Sequence[str], cases: Sequence[Case], effort: Effort) -> Report:
    """Measure the networks `names` of `NETWORKS` for all cases."""
    report = Report()
    with Progress(transient=True) as progress:
        for name in names:
            bar = progress.add_task(f"{name}: export", total=len(cases) + 1)
            network = build_network(name)
            with _files(network) as files:
                for result in _time_cases(network, files, cases, effort):
                    report.cases.append(result)
                    progress.update(bar, description=f"{name} {result.case}", advance=1)
                    progress.console.print(f"{name} {result.case}: {len(result.ways)} ways")
                _look_closer(report, network, files)
                progress.advance(bar)
    return report


@contextmanager
def _files(network: Network) -> Iterator[Files]:
    """The network's ONNX files, in a folder that exists during the block."""
    with tempfile.TemporaryDirectory() as folder:
        yield write_files(network, Path(folder))


def _time_cases(
    network: Network, files: Files, cases: Sequence[Case], effort: Effort
) -> Iterator[CaseResult]:
    ways = [*onnx_ways(files), *keras_ways(network.model), torch_way(network)]
    largest = network.largest_tensor()
    for case in cases:
        x = rows(network.shape, case.rows)
        measured = measure(ways, x, case.passes, effort, largest)
        yield CaseResult.of(network.name, case, measured)


def _look_closer(report: Report, network: Network, files: Files) -> None:
    """Measure parts, default options and memory of a network."""
    results = [result for result in report.cases if result.network == network.name]
    shown = [result for result in results if result.case in SHOWN]
    if found := _time_parts(network, files, [result.case for result in shown]):
        report.parts[network.name] = found
    if network.name == SHOWN_NETWORK:
        report.default_options = [
            _time_default_options(way, network, files, result) for result in shown for way in WAYS
        ]
        report.memory = _measure_memory(network, files)


def _time_parts(
    network: Network, files: Files, cases: Sequence[Case]
) -> dict[str, dict[str, float]]:
    """Case to the time of each part of its call."""
    model = load_model(files.artifact)
    return {str(case): parts(model, rows(network.shape, case.rows), case.passes) for case in cases}


def _time_default_options(
    way: str, network: Network, files: Files, result: CaseResult
) -> dict[str, object]:
    """A way alone in a process, and its time in the comparison."""
    alone = in_fresh_process(way, files.artifact.parent, result.case, network.shape)
    above = result.ways.get(way)
    seconds = above and above.seconds
    return {"way": way, **asdict(result.case), **alone, "interleaved_seconds": seconds}


def _measure_memory(network: Network, files: Files) -> list[Memory]:
    """Memory by number of passes, which should be constant."""
    folder, shape = files.artifact.parent, network.shape
    found = {case: in_fresh_process("memory", folder, case, shape) for case in MEMORY_CASES}
    return Memory.of({case: entry["peak_bytes"] for case, entry in found.items()})
