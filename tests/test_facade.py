"""`import mcdropout`: the names that it provides, and what it does not load."""

import sys
from pathlib import Path

import pytest

import mcdropout
import models.export
import service
import service.client
import service.evaluation
from mcdropout import require_own
from tests.service.test_layers import imported


def test_names_are_those_of_the_packages() -> None:
    assert mcdropout.load_model is service.load_model
    assert mcdropout.export_model is models.export.export_model
    assert mcdropout.evaluate is service.evaluation.evaluate
    assert mcdropout.Client is service.client.Client
    assert mcdropout.AsyncClient is service.client.AsyncClient
    assert mcdropout.__version__.count(".") == 2


def test_each_name_loads_only_what_it_needs() -> None:
    assert not imported("import mcdropout") & {"service", "models", "numpy"}
    assert not imported("from mcdropout import Client") & {"onnx", "onnxruntime", "keras"}
    assert not imported("from mcdropout import load_model") & {"keras", "models", "httpx"}


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'load_modle'"):
        mcdropout.load_modle  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("form", ["models.py", "models/__init__.py", "models/other.py"])
def test_another_package_of_the_same_name_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    file = tmp_path / form
    file.parent.mkdir(exist_ok=True)
    file.touch()
    monkeypatch.delitem(sys.modules, "models")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(ImportError, match=f"finds another one of that name before it: {tmp_path}"):
        require_own("models")


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "models")
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(
        ImportError, match=r"mcdropout is not completely installed: .*models is missing"
    ):
        require_own("models")
