import importlib
import re
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from models.export import export_model
from models.export.source import fingerprint, load_keras
from service import load_model
from service.errors import ExportError
from tests.conftest import ROOT

DATA = ROOT / "tests" / "data"


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_keras_3_file_is_loaded_and_exported(suffix: str, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((6,)), layers.Dropout(0.3), layers.Dense(2)])
    file = tmp_path / f"model{suffix}"
    model.save(file)
    loaded, source = load_keras(str(file))
    assert source is not None
    assert source.name == file.name
    manifest = export_model(loaded, tmp_path / "model.onnx", task="other", source=source)
    assert manifest.source == source
    assert len(source.sha256) == 64


def test_keras_2_h5_file_gives_the_outputs_of_keras_2(tmp_path: Path) -> None:
    """tf-keras 2.21 wrote tests/data/keras2.h5 and the outputs beside it."""
    model, source = load_keras(str(DATA / "keras2.h5"))
    export_model(model, tmp_path / "model.onnx", task="other", source=source)
    stored = np.load(DATA / "keras2.npz")
    (found,) = load_model(tmp_path / "model.onnx").predict_deterministic(stored["x"]).values()
    np.testing.assert_allclose(found, stored["y"], atol=1e-5 * np.abs(stored["y"]).max())


def test_exported_saved_model_is_refused_with_the_reason(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((6,)), layers.Dropout(0.3), layers.Dense(2)])
    model.export(tmp_path / "exported", verbose=False)
    with pytest.raises(ExportError, match="without random operations"):
        load_keras(str(tmp_path / "exported"))


def test_keras_2_saved_model_is_refused_with_the_conversion_command(
    tmp_path: Path,
) -> None:
    for name in ("saved_model.pb", "keras_metadata.pb"):
        (tmp_path / name).touch()
    with pytest.raises(ExportError, match='make keras2 ARGS="'):
        load_keras(str(tmp_path))


def test_folder_that_is_not_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="is a folder, not a model"):
        load_keras(str(tmp_path))


CUSTOM = """
import keras

class Mine(keras.layers.Layer):
    def call(self, inputs):
        return inputs

@keras.saving.register_keras_serializable("pack")
class Packed(Mine):
    pass

class Weighed(keras.regularizers.Regularizer):
    def __call__(self, x):
        return 0.0
    def get_config(self):
        return {}

def bend(x):
    return x

@keras.saving.register_keras_serializable("pack")
def twist(x):
    return x
"""


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_all_missing_classes_and_functions_are_named(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_layers.py").write_text(CUSTOM)
    monkeypatch.syspath_prepend(tmp_path)
    theirs = importlib.import_module("their_layers")
    stack = [theirs.Mine(), theirs.Packed(), layers.Dropout(0.3)]
    stack.append(layers.Dense(2, theirs.bend, kernel_regularizer=theirs.Weighed()))
    stack.append(layers.Dense(2, theirs.twist))
    file = tmp_path / f"model{suffix}"
    keras.Sequential([keras.Input((6,)), *stack]).save(file)
    monkeypatch.delitem(sys.modules, "their_layers")
    for name in ("pack>Packed", "pack>twist"):
        monkeypatch.delitem(keras.saving.get_custom_objects(), name)
    names = "Mine, pack>Packed, bend, Weighed, pack>twist. Give the module that defines them: "
    with pytest.raises(ExportError, match=re.escape(names)) as raised:
        load_keras(str(file))
    assert "--custom-objects their_layers." in str(raised.value)
    assert load_keras(str(file), ["their_layers"])[0].count_params() == 20


def test_module_hidden_by_the_project_is_named() -> None:
    for reference, custom in (("models:build", []), ("a.keras", ["models.their_layers"])):
        with pytest.raises(ExportError, match="a package 'models' of its own, which hides yours"):
            load_keras(reference, custom)


def test_fingerprint_changes_with_weights_and_configuration() -> None:
    def build(units: int) -> keras.Model:
        keras.utils.set_random_seed(0)
        return keras.Sequential([keras.Input((3,), name="x"), layers.Dense(units, name="y")])

    first = build(2)
    assert fingerprint(first).sha256 != fingerprint(build(3)).sha256
    before = fingerprint(first)
    first.layers[0].bias.assign([1.0, 2.0])
    assert fingerprint(first) != before


def test_fingerprint_of_a_lambda_does_not_depend_on_references_to_its_constants() -> None:
    double = layers.Lambda(lambda x: x * 2.5)
    model = keras.Sequential([keras.Input((6,)), double, layers.Dropout(0.3)])
    before = fingerprint(model)
    # TensorFlow refers to numbers that it converted to tensors in this way.
    held = [list(double.function.__code__.co_consts) for _ in range(3)]
    assert fingerprint(model) == before
    del held
    assert fingerprint(model) == before
