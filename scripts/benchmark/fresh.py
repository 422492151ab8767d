"""Measurements in a fresh process: memory, and ways that run alone.

    python -m scripts.benchmark.fresh memory FOLDER ROWS PASSES SHAPE…
    python -m scripts.benchmark.fresh tiled FOLDER ROWS PASSES SHAPE…

FOLDER holds a network's files. Each command prints one line of JSON.
"""

import json
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scripts.benchmark.onnx_ways import Files, floor, open_session, plan, tiled
from scripts.benchmark.timing import Case, Effort, measure
from scripts.benchmark.ways import Call, Way, rows

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST = 300  # s
EFFORT = Effort(seconds=0.5)
#: This project with its own options, and two other ways with ONNX Runtime's default options.
WAYS: dict[str, Callable[[Files], Call]] = {
    "plan": lambda files: plan(files.artifact),
    "tiled": lambda files: tiled(open_session(files.artifact, spinning=True)),
    "floor": lambda files: floor(files, spinning=True),
}


def in_fresh_process(what: str, folder: Path, case: Case, shape: tuple[int, ...]) -> Any:
    """Run the command `what` of this module in a fresh process; returns its JSON."""
    command = [sys.executable, "-m", "scripts.benchmark.fresh", what, str(folder)]
    command += [str(number) for number in (case.rows, case.passes, *shape)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=LONGEST)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{ended.stderr}")
    return json.loads(ended.stdout)


def peak_memory() -> int:
    """Peak resident memory of this process, in bytes."""
    # On Linux, ru_maxrss includes the parent's memory before exec, here the gigabytes of
    # TensorFlow. VmHWM starts with the program.
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _memory(files: Files, case: Case, shape: tuple[int, ...]) -> dict[str, int]:
    """Peak memory of loading the artifact and running one call."""
    plan(files.artifact)(rows(shape, case.rows), case.passes)
    return {"peak_bytes": peak_memory()}


def _timing(what: str, files: Files, case: Case, shape: tuple[int, ...]) -> dict[str, Any]:
    """Timing of one of `WAYS` that runs alone."""
    way = Way(what, WAYS[what](files))
    measured = measure([way], rows(shape, case.rows), case.passes, EFFORT)
    return asdict(measured.timings[what])


def main(what: str, folder: str, *numbers: str) -> None:
    """Run a command; see the module's docstring."""
    count, passes, *shape = map(int, numbers)
    arguments = Files.of(Path(folder)), Case(count, passes), tuple(shape)
    found = _memory(*arguments) if what == "memory" else _timing(what, *arguments)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
