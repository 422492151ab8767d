import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.errors import ModelError, SetupError
from service.graph.artifact import read_artifact
from service.graph.place import draw_input, scale_input
from service.graph.plan import Plan, compile_plan
from service.runtime import engine
from service.runtime.engine import (
    CPU,
    CUDA,
    Engine,
    as_array,
    require_one_runtime,
    require_providers,
)
from tests.conftest import STORE
from tests.service.text_model import save_text_model


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


def test_missing_runtime_is_an_error_with_the_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _install(monkeypatch)
    with pytest.raises(SetupError, match=r'pip install .*"\.\[cpu\]", or "\.\[gpu\]"'):
        require_one_runtime()


def test_both_runtimes_are_an_error_with_the_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _install(monkeypatch, "onnxruntime", "onnxruntime-gpu")
    with pytest.raises(SetupError, match="pip uninstall -y onnxruntime onnxruntime-gpu, then"):
        require_one_runtime()


def test_server_without_a_runtime_stops_with_an_error(tmp_path: Path) -> None:
    """A real process in which the metadata of neither runtime is found."""
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


def test_require_providers_lists_the_available_ones() -> None:
    require_providers([CPU])
    with pytest.raises(SetupError, match=r"not all in this ONNX Runtime, which has .*CPU"):
        require_providers(["NoSuchProvider"])
    with pytest.raises(SetupError):
        require_providers([])


def test_engine_refuses_other_bytes_than_onnx() -> None:
    with pytest.raises(ModelError, match="ONNX Runtime cannot load the graph"):
        Engine(b"not onnx", [CPU])


def test_engine_refuses_a_provider_that_fell_back(
    monkeypatch: pytest.MonkeyPatch, digits_path: Path
) -> None:
    """If libraries of CUDA are missing, ONNX Runtime uses the CPU without an exception."""
    monkeypatch.setattr(engine, "require_providers", lambda providers: None)
    monkeypatch.setattr("onnxruntime.preload_dlls", lambda: None, raising=False)
    with pytest.raises((SetupError, ModelError), match=CUDA):
        Engine(digits_path.read_bytes(), [CUDA, CPU])


def test_engine_with_bound_inputs_and_outputs_gives_the_same(co2_plan: Plan) -> None:
    """The GPU path, here on the CPU: the trunk's output stays on the device for the tail."""
    assert co2_plan.trunk is not None
    trunk, tail = Engine(co2_plan.trunk, [CPU]), Engine(co2_plan.tail, [CPU])
    feeds: dict[str, Any] = {"year": np.array([[1985.0], [2010.0]], np.float32)}
    numbers = np.random.default_rng(0).integers(0, 2, (7, 1, 320)).astype(np.uint8)
    draws: dict[str, Any] = {draw_input(site): numbers for site in co2_plan.sites}
    draws |= {scale_input(site): np.array(2, np.float32) for site in co2_plan.sites}
    plain = tail.run({**trunk.hold(feeds), **draws})
    for engine_ in (trunk, tail):
        engine_._bound = True
    held = trunk.hold(feeds)
    assert {type(value).__name__ for value in held.values()} == {"OrtValue"}
    np.testing.assert_array_equal(tail.run({**held, **draws})["ppm"], plain["ppm"])
    (name,) = held
    np.testing.assert_array_equal(as_array(held[name]), trunk.run(feeds)[name])


@pytest.fixture
def co2_plan() -> Plan:
    return compile_plan(read_artifact(STORE / "co2" / "1" / "model.onnx"))


@pytest.mark.slow
def test_onnx_runtime_sends_no_telemetry(tmp_path: Path) -> None:
    """Its telemetry would write a file into the user's cache."""
    env = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    for module in ("service.runtime.engine", "models.export.check"):
        command = [sys.executable, "-c", f"import {module}"]
        subprocess.run(command, env=env | {"HOME": str(tmp_path)}, check=True, capture_output=True)
        assert not list((tmp_path / ".cache").rglob("*onnxruntime*"))


def test_strings_are_not_bound_on_a_gpu(tmp_path: Path) -> None:
    engine = Engine(save_text_model(tmp_path / "model.onnx").read_bytes(), [CPU])
    rows = {"text": np.array([["good film"], [""]], object)}
    wanted = engine.run(rows)
    engine._bound = True  # as with CUDA, where strings cannot be bound
    assert engine.run(rows).keys() == wanted.keys()
    (held,) = engine.hold(rows).values()
    assert as_array(held).shape == (2, 1)
