"""Names, inputs and calls of models: which the exporter accepts, and which it refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from models.export import export_model
from service import load_model
from service.errors import ExportError

EXAMPLE = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
TOKENS = np.random.default_rng(0).integers(0, 50, (5, 6))


def mlp() -> keras.Model:
    return keras.Sequential([layers.Dense(4), layers.Dropout(0.5), layers.Dense(2)])


def refused(model: keras.Model, path: Path, example: Any = None) -> str:
    with pytest.raises(ExportError) as caught:
        export_model(model, path, task="other", example=example)
    assert not path.exists()
    return str(caught.value)


@pytest.mark.parametrize(
    "name", ["my drop", "Tröpfe 日本", "training", "drop:1", "_drop", "a;b\"c'\n[$x]"]
)
def test_layer_of_any_name_is_a_site_of_that_name(name: str, tmp_path: Path) -> None:
    x = keras.Input((6,), name="an input")
    y = layers.Dropout(0.5, name=name)(layers.Dense(4, name=f"{name} before")(x))
    model = keras.Model(x, layers.Dense(2, name=f"{name} after")(y), name=f"{name} model")
    manifest = export_model(model, tmp_path / "model.onnx", task="other")
    assert [site.name for site in manifest.sites] == [name]
    assert [spec.name for spec in manifest.inputs] == ["an input"]
    prediction = load_model(tmp_path / "model.onnx").predict(EXAMPLE, passes=20, sites=[name])
    assert (prediction[f"{name} after"].variance > 0).any()


def test_layers_keep_names_that_the_exporter_uses(tmp_path: Path) -> None:
    def inner(name: str, *drops: str) -> keras.Model:
        x = y = keras.Input((4,))
        for drop in drops:
            y = layers.Dropout(0.3, name=drop)(y)
        return keras.Model(x, y, name=name)

    x, drop = keras.Input((6,)), layers.Dropout(0.2, name="drop")
    y = inner("drop_", "rate", "live_rate")(inner("training", "on", "off")(layers.Dense(4)(x)))
    y = layers.Dropout(0.1, name="drop:1")(drop(layers.Dense(4)(drop(y))))
    path = tmp_path / "model.onnx"
    manifest = export_model(keras.Model(x, y), path, task="other")
    names = [site.name for site in manifest.sites]
    assert names[:4] == ["training/on", "training/off", "drop_/rate", "drop_/live_rate"]
    assert names[4:] == ["drop", "drop:1", "drop:1:1"]
    model = load_model(path)
    for name in names:
        assert (model.predict(EXAMPLE, passes=20, sites=[name]).variance > 0).any()


def test_input_named_training_gets_a_number(tmp_path: Path) -> None:
    x = keras.Input((6,), name="training")
    model = keras.Model(x, layers.Dropout(0.5)(x))
    manifest = export_model(model, tmp_path / "model.onnx", task="other")
    assert [spec.name for spec in manifest.inputs] == ["training_1"]


def called() -> keras.Model:
    model = mlp()
    model(EXAMPLE)
    return model


def predicted() -> keras.Model:
    model = mlp()
    model.predict(EXAMPLE, verbose=0)
    return model


def fixed_batch() -> keras.Model:
    x = keras.Input(batch_shape=(8, 3, 2))
    return keras.Model(x, layers.Dropout(0.5)(layers.LSTM(4, dropout=0.2)(x)))


class Subclassed(keras.Model):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden, self.drop, self.head = layers.Dense(4), layers.Dropout(0.5), layers.Dense(2)

    def build(self, shape: Any) -> None:
        self.hidden.build(shape)
        self.head.build((None, 4))

    def call(self, inputs: Any, training: Any = None) -> Any:
        return self.head(self.drop(self.hidden(inputs), training=training))


def built() -> keras.Model:
    model = Subclassed()
    model.build((None, 6))
    return model


@pytest.mark.parametrize(
    ("build", "example"),
    [(called, None), (predicted, None), (mlp, EXAMPLE), (fixed_batch, None), (built, None)],
)
def test_model_without_a_declared_dynamic_batch_takes_any(
    build: Callable[[], keras.Model], example: Any, tmp_path: Path
) -> None:
    model, path = build(), tmp_path / "model.onnx"
    export_model(model, path, task="other", example=example)
    rows = EXAMPLE.reshape(5, *getattr(model, "input_shape", EXAMPLE.shape)[1:])
    found = load_model(path).predict(rows, passes=20)
    assert found.variance.shape[0] == 5
    assert (found.variance > 0).all()


def test_reloaded_subclassed_model_takes_an_example(tmp_path: Path) -> None:
    keras.saving.register_keras_serializable("tests")(Subclassed)
    model = Subclassed()
    model(EXAMPLE)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    export_model(loaded, tmp_path / "model.onnx", task="other", example=EXAMPLE)
    (off,) = load_model(tmp_path / "model.onnx").predict_deterministic(EXAMPLE).values()
    np.testing.assert_allclose(off, model(EXAMPLE), atol=1e-5)


class Tokens(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.drop = layers.Embedding(50, 4), layers.Dropout(0.5)

    def call(self, inputs: Any, training: Any = None) -> Any:
        words = ops.sum(self.drop(self.table(inputs["tokens"]), training=training), axis=1)
        return words + ops.sum(inputs["numbers"], axis=-1, keepdims=True)


def test_subclassed_model_takes_integers_where_the_example_has_them(tmp_path: Path) -> None:
    example: dict[str, np.ndarray] = {"tokens": TOKENS, "numbers": EXAMPLE}
    manifest = export_model(Tokens(), tmp_path / "model.onnx", task="other", example=example)
    assert {spec.name: spec.dtype for spec in manifest.inputs} == {
        "tokens": "int64",
        "numbers": "float32",
    }


def test_batch_size_used_by_a_layer_is_refused(tmp_path: Path) -> None:
    x = keras.Input(batch_shape=(8, 6))
    y = ops.reshape(ops.reshape(layers.Dropout(0.5)(x), (8, 3, 2)), (-1, 6))
    found = refused(keras.Model(x, y), tmp_path / "model.onnx")
    assert "has a batch size of 8 built in and takes no other" in found
    assert "take -1 for the batch" in found


def test_layer_that_takes_the_first_row_is_refused(tmp_path: Path) -> None:
    x = keras.Input(batch_shape=(1, 6))
    found = refused(keras.Model(x, layers.Dropout(0.5)(x)[0:1, :]), tmp_path / "model.onnx")
    assert "for 2 rows, it gives [1] rows" in found


def test_stateful_layer_is_refused_by_name(tmp_path: Path) -> None:
    x = keras.Input(batch_shape=(8, 3, 2))
    y = layers.Dropout(0.5)(layers.LSTM(4, stateful=True, name="memory")(x))
    assert "layer 'memory' is stateful" in refused(keras.Model(x, y), tmp_path / "model.onnx")


def test_flag_without_effect_is_refused(tmp_path: Path) -> None:
    """Called with training=True, a functional model passes a constant to its layers."""
    x, flag = keras.Input((6,)), keras.Input((), dtype="bool", name="is_training")
    model = keras.Model([x, flag], layers.Dropout(0.5)(x, training=flag))
    found = refused(model, tmp_path / "model.onnx")
    assert "do not depend on its inputs ['is_training']" in found
    assert "the exported model's own 'training' does that" in found


def test_a_scalar_input_is_refused(tmp_path: Path) -> None:
    x, flag = keras.Input((6,)), keras.Input(batch_shape=(), dtype="bool", name="flag")
    model = keras.Model([x, flag], layers.Dropout(0.5)(x, training=flag))
    assert "input 'flag' is a scalar" in refused(model, tmp_path / "model.onnx")


def test_a_call_of_several_arguments_is_refused(tmp_path: Path) -> None:
    class Two(keras.Model):
        def call(self, a: Any, b: Any, training: Any = None) -> Any:
            return a + b

    assert "with several arguments, ['a', 'b']" in refused(Two(), tmp_path / "model.onnx", EXAMPLE)
