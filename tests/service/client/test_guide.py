"""The code in docs/client.md runs and gives the results that it shows."""

import inspect
import re
from typing import Any

import numpy as np
import pytest

from scripts.local_server import LocalServer
from service import client as package
from service import load_model
from tests.conftest import ROOT, STORE

GUIDE = (ROOT / "docs" / "client.md").read_text()


def test_code_of_the_guide_runs(server: LocalServer, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "guide"}
    blocks = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    for block in blocks:
        exec(block.replace("http://127.0.0.1:8000", server.url), names)
    names["client"].close()
    wanted = load_model(STORE / "co2" / "1" / "model.onnx").predict(
        [[1985.0], [2010.0]], passes=1000, seed=7
    )
    np.testing.assert_array_equal(names["prediction"].mean, wanted.mean)
    assert [found.seed for found in names["predictions"]] == [7] * 3
    printed = capsys.readouterr().out
    assert printed
    assert f"# {printed}" in blocks[-1]


def test_every_error_is_listed() -> None:
    for name in package.__all__:
        if name.endswith("Error") and name != "ClientError":
            assert f"| `{name}` |" in GUIDE


def test_every_method_is_listed() -> None:
    for name in vars(package.Client):
        if not name.startswith("_"):
            assert f"`{name}(" in GUIDE or f"`{name}()`" in GUIDE, name


def test_both_clients_have_the_same_methods() -> None:
    for name, method in vars(package.Client).items():
        if name.startswith("_") and name != "__init__":
            continue
        other = vars(package.AsyncClient)[name]
        mine, others = inspect.signature(method), inspect.signature(other)
        assert list(mine.parameters) == list(others.parameters), name
        returned = str(others.return_annotation).replace("AsyncIterator", "Iterator")
        assert str(mine.return_annotation) == returned, name
        for key, parameter in mine.parameters.items():
            assert parameter.default == others.parameters[key].default
