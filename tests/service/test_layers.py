"""Imports that lint cannot see: those of imported modules."""

import subprocess
import sys

import pytest

#: Prints the modules that a statement imports, one per line.
_CODE = "import sys; {statement}; print('\\n'.join(sys.modules))"


def imported(statement: str) -> set[str]:
    """Top-level packages in a new interpreter after `statement`."""
    code = _CODE.format(statement=statement)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in ended.stdout.split()}


@pytest.mark.parametrize(
    "statement",
    [
        "from service import load_model; load_model('models/store/digits/1/model.onnx')",
        "import service.cli, service.api.app, service.server.banner, service.server.settings",
    ],
)
def test_the_online_half_imports_no_tensorflow(statement: str) -> None:
    found = imported(statement)
    assert "numpy" in found
    assert not found & {"tensorflow", "keras", "tf2onnx", "models", "scripts", "sklearn"}


def test_the_core_imports_numpy_alone() -> None:
    found = imported(
        "import service.core.distributions, service.core.measures, service.core.moments"
    )
    assert not found & {"onnx", "onnx_ir", "onnxruntime", "pydantic", "fastapi"}


def test_the_manifest_can_be_read_without_a_runtime() -> None:
    assert not imported("import service.manifest") & {"onnxruntime", "fastapi", "onnx_ir"}
