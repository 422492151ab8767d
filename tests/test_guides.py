"""The code of the guides runs and gives the results that they show."""

import re
from pathlib import Path
from typing import Any

import pytest

import models  # noqa: F401  sets what TensorFlow reads when it is first imported
from models.zoo.data import digits_halves, digits_splits
from service import load_model
from service.cli.evaluation.tables import print_evaluation
from tests.conftest import ROOT


def test_uncertainty(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "uncertainty.md").read_text()
    monkeypatch.chdir(ROOT)
    _, test = digits_splits()
    names: dict[str, Any] = {"x": test.x[:40], "y": test.y[:40]}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
    assert names["entropy"].shape == names["risk"].shape == (40,)
    assert names["passes"].shape == (40, 1000, 10)
    assert names["risk"][-1] == names["wrong"].mean()


def test_evaluate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The numbers of the printed tables, but those of 1000 passes and of other rows."""
    text = (ROOT / "docs" / "evaluate.md").read_text()
    monkeypatch.chdir(ROOT)
    _, test = digits_halves()
    names: dict[str, Any] = {"x": test.x, "y": test.y}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
    print_evaluation(names["evaluation"])
    printed = [cells(line) for line in capsys.readouterr().out.splitlines()]
    (table,) = re.findall(r"```\n(setting .*?)```", text, re.DOTALL)
    others = ("…", "1000 passes", "accepted, out of distribution")
    shown = [cells(line) for line in table.splitlines() if not line.startswith(others)]
    assert len(shown) > 15
    for line in shown:
        ours = [cell for cell in line if not cell.startswith("ood_")]
        assert any(found[: len(ours)] == ours[: len(found)] for found in printed if found), line


def cells(line: str) -> list[str]:
    return re.split(r"\s{2,}", line.strip())


def test_new_stochastic_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "new-stochastic-layer.md").read_text()
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "guide"}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
    site = names["site"]
    assert (site.layer, site.kind, site.shape) == ("drop_connect", "uniform", (None, 6, 4))
    model = load_model(tmp_path / "store" / "dropconnect" / "1" / "model.onnx")
    assert (model.predict([[1.0] * 6, [2.0] * 6], seed=1).variance > 0).all()
