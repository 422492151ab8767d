import subprocess
import sys
from pathlib import Path

from scripts import gpu_check
from service import Predictor
from service.graph.artifact import read_artifact
from service.inference.trials import trial_rows
from service.runtime.device import Device
from service.runtime.engine import CPU, CUDA
from tests.conftest import ROOT

COMMAND = [sys.executable, "-m", "scripts.gpu_check"]


def test_without_a_gpu_the_check_fails_with_the_reason() -> None:
    ended = subprocess.run(COMMAND, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 1
    assert ended.stdout.startswith("FAIL  the device is set to 'cuda', but CUDA is not available")


def test_on_the_cpu_every_check_passes(digits_path: Path) -> None:
    command = [*COMMAND, "--device", "cpu", str(digits_path)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = ended.stdout.splitlines()
    assert [line[:4] for line in lines[:5]] == ["PASS"] * 5
    assert "digits/1: seed 7 answers as on the CPU, to 0.0e+00" in lines[2]
    assert lines[-1] == "all passed"


def test_tail_node_on_another_provider_is_named(digits: Predictor, digits_path: Path) -> None:
    """As if the model had been loaded for CUDA, and every node ran on the CPU."""

    class Elsewhere:
        sampler = digits.sampler
        providers = (CUDA,)

    device = Device("cuda", "cuda:0", "", (CPU,))
    rows = dict(trial_rows(read_artifact(digits_path)))
    away = gpu_check._nodes_away(Elsewhere(), device, rows)  # type: ignore[arg-type]
    assert any(name.startswith("DequantizeLinear (CPU") for name in away)
    assert not any(name.startswith(("Shape", "Concat")) for name in away)
