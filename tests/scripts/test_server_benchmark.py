"""The benchmark of the server, on the demo model and within seconds."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest

from scripts.local_server import LocalServer
from scripts.server_benchmark.__main__ import draw, measure, plain_app, table
from scripts.server_benchmark.overhead import overhead
from service import Predictor
from tests.conftest import ROOT, STORE

FILE = STORE / "digits" / "1" / "model.onnx"
BODY = json.dumps({"instances": [[4.0] * 64], "passes": 20})


def test_plain_app_gives_comparable_answers(digits: Predictor) -> None:
    """Its passes vary, and its mean is that of the same network."""
    with plain_app(FILE) as url:
        body = {"instances": [[4.0] * 64, [9.0] * 64], "passes": 2000}
        found = httpx.post(f"{url}/v1/models/digits:predict", json=body, timeout=60).json()
    mean, variance = (
        np.array([row[key] for row in found["predictions"]]) for key in ("mean", "variance")
    )
    wanted = digits.predict(body["instances"], 20_000, 7)
    assert (variance > 0).all()
    # Six standard errors of the difference of two means.
    limit = 6 * np.sqrt(wanted.variance * (1 / 2000 + 1 / 20_000)) + 1e-6
    assert (np.abs(mean - wanted.mean) < limit).all()


def test_clients_count_every_answer(server: LocalServer) -> None:
    url = server.url.rpartition("/v1")[0] or server.url
    command = [sys.executable, "-m", "scripts.server_benchmark.clients"]
    command += [f"{url}/v1/models/digits:predict", "3", "1"]
    ended = subprocess.run(
        command, input=json.dumps([BODY]), capture_output=True, text=True, cwd=ROOT
    )
    found = json.loads(ended.stdout)
    assert set(found["statuses"]) == {"200"}
    assert len(found["times"]) == found["statuses"]["200"] > 10
    assert found["seconds"] == pytest.approx(0.8)


def test_failing_server_is_not_measured(server: LocalServer) -> None:
    with pytest.raises(RuntimeError, match="404"):
        measure(server.url, [BODY], 1, 0.5)  # there is no model 'dense'


def test_overhead_times_the_same_job_three_ways(server: LocalServer) -> None:
    found = overhead(FILE, server.url, "digits", 5)
    assert list(found) == ["1 rows", "32 rows"]
    for row in found.values():
        assert row["json/library"] == pytest.approx(row["json"] / row["library"])
        assert min(row.values()) > 0


def test_results_are_shown_as_table_and_figure(tmp_path: Path) -> None:
    results = json.loads((ROOT / "benchmarks" / "server.json").read_text())
    assert table(results).row_count == 7
    draw(results, tmp_path / "server.png")
    assert (tmp_path / "server.png").stat().st_size > 10_000
