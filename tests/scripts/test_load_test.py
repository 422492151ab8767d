import subprocess
import sys

import pytest

from scripts.local_server import LocalServer
from tests.conftest import ROOT


@pytest.mark.slow
def test_load_test_reports_each_mix_and_no_failure(server: LocalServer) -> None:
    command = [sys.executable, "-m", "scripts.load_test", "--url", server.url]
    command += ["--users", "4", "--seconds", "5"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for text in ("requests/s", "p50", "p95", "p99", "failures", "co2, 64 rows", "│ all "):
        assert text in ended.stdout


@pytest.mark.slow
def test_load_test_fails_when_requests_do(server: LocalServer) -> None:
    command = [sys.executable, "-m", "scripts.load_test", "--url", f"{server.url}/nowhere"]
    command += ["--users", "1", "--seconds", "3"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert ended.returncode == 1, ended.stdout + ended.stderr
