"""The script of large evaluations, with a small one."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from scripts.large_evaluation import __main__ as script
from scripts.large_evaluation.figure import draw
from scripts.large_evaluation.one import images, measured


def case(rows: int) -> dict[str, Any]:
    seconds = {"passes": 8.0, "metrics": 0.5, "bootstrap": 1.0, "rest": 0.5}
    memory = {"peak_bytes": 400 << 20, "model_and_libraries_bytes": 300 << 20}
    return {"rows": rows, "passes": 1000, "samples": 1000 * rows, "seconds": seconds, **memory}


def test_an_evaluation_is_measured() -> None:
    found = measured(40, 6, 20)
    # 6 passes, dropout off, and the calibration's 100.
    assert found["samples"] == 40 * 107
    assert found["settings"] == 3
    assert all(seconds >= 0 for seconds in found["seconds"].values())
    assert 0 < found["model_and_libraries_bytes"] <= found["peak_bytes"]


def test_images_are_drawn_with_repetition() -> None:
    x, y = images(2000, 0)
    assert x.shape == (2000, 64)
    assert len(y) == 2000


def test_results_are_shown_written_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "in_own_process", lambda rows, passes, resamples: case(rows))
    monkeypatch.setattr(script, "Console", lambda: Console(width=120))
    script.main(results=tmp_path / "found.json", figures=tmp_path)
    written = json.loads((tmp_path / "found.json").read_text())
    assert [found["rows"] for found in written["cases"]] == [2000, 20_000]
    assert "20,000" in capsys.readouterr().out
    assert (tmp_path / "large-evaluation.png").read_bytes().startswith(b"\x89PNG")
    draw([case(10)], tmp_path / "one.png")
    assert (tmp_path / "one.png").exists()
