"""The code of the guides runs and gives the results that they show."""

import re
from pathlib import Path
from typing import Any

import pytest

import models  # noqa: F401  sets what TensorFlow reads when it is first imported
from models.zoo.data import digits_splits
from service import load_model
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
