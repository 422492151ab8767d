import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from service import engine
from service.engine import CPU, CUDA, Engine, require_one_runtime, require_providers
from service.errors import ModelError, SetupError


def _install(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    def version(name: str) -> str:
        if name in packages:
            return "1.31.1"
        raise PackageNotFoundError(name)

    monkeypatch.setattr(engine, "version", version)


@pytest.mark.parametrize("package", ["onnxruntime", "onnxruntime-gpu"])
def test_one_runtime_is_accepted(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    _install(monkeypatch, package)
    require_one_runtime()


def test_no_runtime_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch)
    with pytest.raises(SetupError, match=r"pip install 'mcdropout\[cpu\]'"):
        require_one_runtime()


def test_both_runtimes_are_an_error_that_says_how_to_mend_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _install(monkeypatch, "onnxruntime", "onnxruntime-gpu")
    with pytest.raises(SetupError, match="pip uninstall -y onnxruntime onnxruntime-gpu, then"):
        require_one_runtime()


def test_server_without_a_runtime_says_so_and_ends(tmp_path: Path) -> None:
    """A real process in which neither runtime's metadata is found."""
    code = (
        "import importlib.metadata as m, sys\n"
        "real = m.version\n"
        "def version(name):\n"
        "    if name.startswith('onnxruntime'): raise m.PackageNotFoundError(name)\n"
        "    return real(name)\n"
        "m.version = version\n"
        "sys.argv = ['mcdropout', 'serve']\n"
        "from service.cli import app; app()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: no ONNX Runtime is installed. Install one:")


def test_require_providers_names_what_there_is() -> None:
    require_providers([CPU])
    with pytest.raises(SetupError, match=r"not all in this ONNX Runtime, which has .*CPU"):
        require_providers(["NoSuchProvider"])
    with pytest.raises(SetupError):
        require_providers([])


def test_engine_refuses_what_is_not_onnx() -> None:
    with pytest.raises(ModelError, match="ONNX Runtime cannot load the graph"):
        Engine(b"not onnx", [CPU])


def test_engine_refuses_a_provider_that_fell_back(
    monkeypatch: pytest.MonkeyPatch, digits_path: Path
) -> None:
    """As when CUDA is compiled in and its libraries are missing: no exception, only the CPU."""
    monkeypatch.setattr(engine, "require_providers", lambda providers: None)
    monkeypatch.setattr("onnxruntime.preload_dlls", lambda: None, raising=False)
    with pytest.raises((SetupError, ModelError), match=CUDA):
        Engine(digits_path.read_bytes(), [CUDA, CPU])
