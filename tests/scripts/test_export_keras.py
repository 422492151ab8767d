"""The export command, run as a process."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from service import load_model
from service.calibration.fingerprint import fingerprint, row_hashes
from tests.conftest import ROOT

SCRIPT = ROOT / "scripts" / "export_keras.py"
DIGITS = ROOT / "models" / "zoo" / "trained" / "digits.keras"


def export(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120)


def test_keras_file_is_exported_with_a_summary(tmp_path: Path) -> None:
    arguments = (DIGITS, "--output", "out", "--task", "classification")
    ended = export(*arguments, "--labels", "0,1,2,3,4,5,6,7,8,9", "--passes", 30, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    for text in ("drop_features", "spatial_dropout", "4×4×32", "checks passed"):
        assert text in ended.stdout
    assert "wrote out/model.onnx" in ended.stderr
    assert "oneDNN" not in ended.stderr
    model = load_model(tmp_path / "out" / "model.onnx")
    assert model.manifest.passes == 30
    assert model.manifest.source.name == "digits.keras"
    assert "To serve it, export it with --output out/1" in ended.stderr
    # The printed command works when pasted.
    (command,) = re.findall(r"^  (.* predict .* --example)$", ended.stderr, re.MULTILINE)
    asked = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert "over 30 passes" in asked.stdout, asked.stderr


def test_existing_file_is_replaced_only_with_force(tmp_path: Path) -> None:
    for version in ("1", "3"):
        (tmp_path / "mine" / version).mkdir(parents=True)
    file = tmp_path / "mine" / "1" / "model.onnx"
    file.write_bytes(b"precious")
    ended = export(DIGITS, "--output", "mine/1", cwd=tmp_path)
    assert ended.returncode == 2
    assert "mine/1/model.onnx already exists." in ended.stderr
    assert "--output mine/4, or use --force" in ended.stderr
    assert file.read_bytes() == b"precious"


def test_folder_that_is_not_writable_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = export(DIGITS, "--output", "file/mine/1", cwd=tmp_path)
    assert ended.returncode == 2
    assert f"nothing can be written to file/mine/1: {tmp_path / 'file'} is no" in ended.stderr


def test_custom_objects_and_lambdas_are_loaded_on_request(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import keras\n"
        "class Twice(keras.layers.Layer):\n"
        "    def call(self, inputs):\n"
        "        return 2 * inputs\n"
    )
    build = (
        "import keras, mine; layers = keras.layers\n"
        "keras.Sequential([keras.Input((4,)), mine.Twice(), layers.Lambda(lambda x: x + 1), "
        "layers.Dropout(.5)]).save('model.keras')\n"
    )
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path, check=True, capture_output=True)
    ended = export("model.keras", "--output", "mine/1", cwd=tmp_path)
    assert "that are not Keras' own: Twice. " in ended.stderr
    assert "Give the module that defines them: --custom-objects mine.\n" in ended.stderr
    arguments = ("model.keras", "--output", "mine/1", "--custom-objects", "mine")
    ended = export(*arguments, cwd=tmp_path)
    assert "loading it runs this code" in ended.stderr.replace("\n", " ")
    ended = export(*arguments, "--allow-unsafe-lambda", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert f"{sys.executable} -m mcdropout serve --models .\n" in ended.stderr
    assert "curl http://127.0.0.1:8000/v1/models/mine:predict" in ended.stderr


@pytest.mark.slow
def test_training_data_leave_their_fingerprint_and_an_old_calibration_is_told(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.py").write_text(
        "import keras\n"
        "def build():\n"
        "    layers = [keras.Input((2,), name='x'), keras.layers.Dropout(.5)]\n"
        "    return keras.Sequential([*layers, keras.layers.Dense(1)])\n"
    )
    x = np.random.default_rng(1).normal(size=(30, 2))
    np.savez(tmp_path / "train.npz", x=x, y=np.zeros(30))
    old = tmp_path / "mine" / "1" / "calibration.json"
    old.parent.mkdir(parents=True)
    old.write_text("{}")
    arguments = ("mine:build", "--output", "mine/1", "--training-data", "train.npz")
    ended = export(*arguments, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "warning: mine/1/calibration.json was not fitted to the new file." in ended.stderr
    old.unlink()
    found = load_model(tmp_path / "mine" / "1" / "model.onnx").manifest.training_data
    assert found == fingerprint("train.npz", row_hashes({"x": x.astype(np.float32)}))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("missing.keras", "error: there is no file 'missing.keras'."),
        ("broken.keras", "error: Keras cannot load 'broken.keras'"),
        ("model.onnx", "error: 'model.onnx' is not a model: give a .keras or .h5 file"),
        ("no_such_module:build", "error: cannot import 'build' from 'no_such_module'"),
    ],
)
def test_failed_export_is_explained(tmp_path: Path, model: str, message: str) -> None:
    (tmp_path / "broken.keras").write_bytes(b"not a zip file")
    ended = export(model, "--output", "out", cwd=tmp_path)
    assert ended.returncode == 1
    assert message in ended.stderr.replace("\n", " ")
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "out").exists()
