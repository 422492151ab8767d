"""Models that pass `training` to a layer; the supported ones are in the table."""

from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from models.export import export_model
from scripts.supported_models.training_argument import EXAMPLE, Switched, one_off
from service.errors import ExportError


class AllOff(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.quiet, self.head = layers.Dropout(0.5, name="quiet"), layers.Dense(2)

    def call(self, inputs: Any, training: Any = None) -> Any:
        return self.head(self.quiet(inputs, training=False))


def test_model_whose_dropout_is_all_off_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="own code calls quiet with training=False"):
        export_model(AllOff(), tmp_path / "model.onnx", task="other", example=EXAMPLE)


def test_normalization_in_training_mode_at_inference_is_refused(tmp_path: Path) -> None:
    model = Switched(lambda m, x, _: m.norm(x, training=True), norm=layers.BatchNormalization())
    with pytest.raises(ExportError, match="changes its variables even with training=False"):
        export_model(model, tmp_path / "model.onnx", task="other", example=EXAMPLE)


def test_layers_that_stay_off_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    export_model(one_off(), tmp_path / "model.onnx", task="other", example=EXAMPLE)
    assert "quiet" in caplog.text
    assert "stay off, as in Keras' model(x, training=True)" in caplog.text
