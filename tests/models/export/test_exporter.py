from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers

from models.export import STAGES, export_model
from models.export.source import fingerprint
from scripts.supported_models.own_layers import trained_rates
from service import load_model
from service.errors import ExportError
from service.manifest import METADATA_KEY, parse_manifest
from tests.conftest import SIGMAS
from tests.models.export.refusals import refused

rng = np.random.default_rng(0)


def dense() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(3, activation="softmax"),
        ]
    )


def convolutional() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((12, 12, 2)),
            layers.Conv2D(6, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.SpatialDropout2D(0.3),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )


def sequence() -> keras.Model:
    x = keras.Input((None, 5), name="steps")
    y = layers.SpatialDropout1D(0.4)(x)
    y = layers.Conv1D(8, 3, padding="same", activation="relu")(y)
    y = layers.Dropout(0.3)(y)
    return keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling1D()(y)))


def volume() -> keras.Model:
    x = keras.Input((4, 4, 4, 2))
    y = layers.SpatialDropout3D(0.5)(layers.Conv3D(4, 3, padding="same")(x))
    return keras.Model(x, layers.Dense(1)(layers.Flatten()(y)))


def nested() -> keras.Model:
    """A sub-model with dropout, called twice, in a model with two inputs and two outputs."""
    inner_in = keras.Input((6,))
    inner = keras.Model(
        inner_in, layers.Dropout(0.5)(layers.Dense(6, "relu")(inner_in)), name="encoder"
    )
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    joined = layers.Concatenate()([inner(a), inner(b)])
    plain = layers.Dense(2, name="plain")(b)
    return keras.Model([a, b], [layers.Dense(3, name="mixed")(joined), plain])


def always_on() -> keras.Model:
    x = keras.Input((8,))
    return keras.Model(x, layers.Dense(2)(layers.Dropout(0.5)(x, training=True)))


MODELS = [dense, convolutional, sequence, volume, nested, always_on]


def rows_of(model: keras.Model, count: int) -> dict[str, np.ndarray]:
    return {
        tensor.name: rng.normal(size=(count, *(size or 9 for size in tensor.shape[1:]))).astype(
            np.float32
        )
        for tensor in model.inputs
    }


def run(path: Path, rows: dict[str, np.ndarray], training: bool) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path)
    outputs: list[np.ndarray] = session.run(None, {**rows, "training": np.array(training)})
    return outputs


@pytest.mark.parametrize("build", MODELS)
def test_exported_model_equals_keras_with_dropout_off_and_varies_with_it_on(
    build: Callable[[], keras.Model], tmp_path: Path
) -> None:
    model, path = build(), tmp_path / "model.onnx"
    manifest = export_model(model, path, task="other")
    rows = rows_of(model, 5)
    tensors = list(rows.values())
    inputs = tensors if len(tensors) > 1 else tensors[0]
    wanted = keras.tree.flatten(model(inputs, training=False))
    off = run(path, rows, training=False)
    for found, exact in zip(off, wanted, strict=True):
        np.testing.assert_allclose(found, exact, atol=1e-5 * np.abs(exact).max())
    first, second = (run(path, rows, training=True) for _ in range(2))
    for output, a, b in zip(manifest.outputs, first, second, strict=True):
        assert (a != b).any() == output.stochastic
    # The server's plan of the same file agrees, and passes load-time verification.
    prediction = load_model(path).predict(rows, passes=50, seed=1)
    for output in manifest.outputs:
        assert (prediction[output.name].variance > 0).any() == output.stochastic


def test_nested_sites_are_named_by_path_and_call(tmp_path: Path) -> None:
    manifest = export_model(nested(), tmp_path / "model.onnx", task="other")
    assert len({site.layer for site in manifest.sites}) == 1
    first, second = (site.name for site in manifest.sites)
    assert first.startswith("encoder/dropout")
    assert second == f"{first}:1"
    assert [output.stochastic for output in manifest.outputs] == [True, False]


def test_spatial_dropout_drops_whole_maps(tmp_path: Path) -> None:
    x = keras.Input((5, 5, 3))
    y = layers.SpatialDropout2D(0.5)(x)
    path = tmp_path / "model.onnx"
    manifest = export_model(keras.Model(x, y), path, task="other")
    assert manifest.sites[0].kind == "spatial_dropout"
    assert manifest.sites[0].shape == (None, 1, 1, 3)
    name = manifest.inputs[0].name
    (out,) = run(path, {name: np.ones((64, 5, 5, 3), np.float32)}, training=True)
    maps = out.reshape(64, 25, 3)
    assert (maps == maps[:, :1]).all()
    assert set(np.unique(maps)) == {0.0, 2.0}


def test_batch_normalization_stays_in_inference_mode(tmp_path: Path) -> None:
    """Its statistics are far from those of the batch, so that a training mode would be detected."""
    model = convolutional()
    (norm,) = (la for la in model.layers if isinstance(la, layers.BatchNormalization))
    norm.moving_mean.assign(np.full(6, 5.0))
    norm.moving_variance.assign(np.full(6, 9.0))
    manifest = export_model(model, tmp_path / "model.onnx", task="other")
    assert manifest.checks
    assert manifest.checks.frozen_difference < 1e-5
    np.testing.assert_array_equal(norm.moving_mean, np.full(6, 5.0))


def test_artifact_varies_in_onnx_runtime_at_its_default_settings(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export_model(dense(), path, task="classification")
    row = rng.normal(size=(1, 20)).astype(np.float32)
    name = onnxruntime.InferenceSession(path).get_inputs()[0].name
    (repeats,) = run(path, {name: np.repeat(row, 100, axis=0)}, training=True)
    assert (repeats.std(axis=0) > 0.001).all()


def test_manifest_in_the_file_is_the_returned_one(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    stages: list[str] = []
    returned = export_model(
        dense(),
        path,
        task="classification",
        labels=["a", "b", "c"],
        example=rng.normal(size=(3, 20)),
        passes=40,
        on_stage=stages.append,
    )
    properties = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert parse_manifest(properties[METADATA_KEY], "file") == returned
    assert returned.labels == ("a", "b", "c")
    assert returned.passes == 40
    assert np.shape(returned.inputs[0].example) == (20,)
    assert returned.source.kind == "memory"
    assert tuple(stages) == STAGES


def test_observed_drop_rates_are_those_of_the_layers(tmp_path: Path) -> None:
    manifest = export_model(convolutional(), tmp_path / "model.onnx", task="other")
    assert manifest.checks
    for site in manifest.sites:
        rate = float(site.rate or 0)
        error = np.sqrt(rate * (1 - rate) / 100)
        assert abs(manifest.checks.drop_rates[site.name] - rate) < SIGMAS * error


@pytest.mark.parametrize("rate", [0.001, 0.999])
def test_small_layer_with_an_extreme_rate_is_not_refused_by_chance(
    rate: float, tmp_path: Path
) -> None:
    model = keras.Sequential([keras.Input((3,)), layers.Dropout(rate), layers.Dense(2)])
    path = tmp_path / "model.onnx"
    export_model(model, path, task="other")
    assert (load_model(path).predict(np.ones((1, 3)), passes=20_000, seed=1).variance > 0).all()


def test_export_changes_neither_the_model_nor_its_training(tmp_path: Path) -> None:
    model = convolutional()
    model.compile("sgd", "mse")
    x = rng.normal(size=(32, 12, 12, 2)).astype(np.float32)
    y = rng.normal(size=(32, 4)).astype(np.float32)
    model.fit(x, y, epochs=1, verbose=0)
    before, random_before = fingerprint(model), model(x[:2], training=True).numpy()
    export_model(model, tmp_path / "model.onnx", task="other")
    assert fingerprint(model) != before  # the call above drew a seed, which is a variable
    after = fingerprint(model)
    export_model(model, tmp_path / "model.onnx", task="other")
    assert fingerprint(model) == after
    assert (model(x[:2], training=True).numpy() != random_before).any()
    model.fit(x, y, epochs=1, verbose=0)


class Exploding(layers.Layer):
    def call(self, inputs: Any) -> Any:
        if getattr(self, "armed", False):
            raise ValueError("boom")
        return inputs


def test_exception_while_tracing_restores_everything(tmp_path: Path) -> None:
    exploding = Exploding()
    model = keras.Sequential([keras.Input((4,)), exploding, layers.Dropout(0.5)])
    exploding.armed = True
    with pytest.raises(ValueError, match="boom"):
        export_model(model, tmp_path / "model.onnx", task="other")
    exploding.armed = False
    out = model(np.ones((200, 4), np.float32), training=True).numpy()
    assert set(np.unique(out)) == {0.0, 2.0}
    assert list(tmp_path.iterdir()) == []


def test_rate_from_a_variable_is_exported_with_its_value(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = trained_rates()
    model.layers[0].p.assign(0.3)
    manifest = export_model(model, tmp_path / "model.onnx", task="other")
    rates = [float(site.rate or 0) for site in manifest.sites]
    np.testing.assert_allclose(rates, [0.5 / (1 + np.e), 0.3], rtol=1e-6)
    assert all(site.trained_rate for site in manifest.sites)
    assert "uses 0.3, its current value" in caplog.text


def test_hard_coded_dropout_is_switched_and_named(tmp_path: Path) -> None:
    x = keras.Input((8,))

    class MCDropout(layers.Dropout):
        def call(self, inputs: Any, training: Any = None) -> Any:
            return super().call(inputs, training=True)

    model = keras.Model(x, layers.Dense(2)(layers.Dropout(0.1)(MCDropout(0.5)(x))))
    path = tmp_path / "model.onnx"
    manifest = export_model(model, path, task="other")
    assert [site.always_on for site in manifest.sites] == [True, False]
    rows = rows_of(model, 3)
    first, second = (run(path, rows, training=False)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_recurrent_layer_is_not_always_on(tmp_path: Path) -> None:
    """Keras draws its masks in inference as well, but does not apply them."""
    model = keras.Sequential([keras.Input((5, 3)), layers.LSTM(4, dropout=0.3), layers.Dense(1)])
    manifest = export_model(model, tmp_path / "model.onnx", task="other")
    assert not any(site.always_on for site in manifest.sites)


def test_gaussian_dropout_has_its_moments(tmp_path: Path) -> None:
    """GaussianDropout(p) multiplies by N(1, p/(1-p)), so y = Σ wᵢ xᵢ zᵢ is normal."""
    dense = layers.Dense(1, use_bias=False)
    model = keras.Sequential([keras.Input((10,)), layers.GaussianDropout(0.4), dense])
    path = tmp_path / "model.onnx"
    export_model(model, path, task="other")
    x = rng.normal(size=(1, 10)).astype(np.float32)
    (w,) = dense.get_weights()
    passes = 20_000
    prediction = load_model(path).predict(x, passes=passes, seed=3)
    variance = 0.4 / 0.6 * ((x**2) @ w**2).item()
    assert abs(prediction.mean[0, 0] - (x @ w)[0, 0]) < SIGMAS * np.sqrt(variance / passes)
    error = variance * np.sqrt(2 / passes)
    assert abs(prediction.variance[0, 0] - variance) < SIGMAS * error


def test_alpha_dropout_keeps_mean_and_variance_of_its_input(tmp_path: Path) -> None:
    """Klambauer et al. 2017: for inputs of mean 0 and variance 1, so are the outputs."""
    x = keras.Input((4000,))
    path = tmp_path / "model.onnx"
    export_model(keras.Model(x, layers.AlphaDropout(0.2)(x)), path, task="other")
    rows = rng.normal(size=(1, 4000)).astype(np.float32)
    prediction = load_model(path).predict(rows, passes=500, seed=3)
    total = prediction.variance.mean() + prediction.mean.var()
    assert abs(prediction.mean.mean()) < 0.1
    assert abs(total - 1) < 0.1


def test_rows_share_a_mask_within_a_pass_only(tmp_path: Path) -> None:
    x = keras.Input((5,))
    path = tmp_path / "model.onnx"
    model = keras.Model(x, layers.Dropout(0.5, noise_shape=(1, 5))(x))
    manifest = export_model(model, path, task="other")
    assert manifest.sites[0].shape == (1, 5)
    name = manifest.inputs[0].name
    (out,) = run(path, {name: np.ones((40, 5), np.float32)}, training=True)
    assert (out == out[:1]).all()
    assert (load_model(path).predict(np.ones((2, 5)), seed=1).variance > 0).all()


def test_logits_are_refused_for_a_classification(tmp_path: Path) -> None:
    message = refused(convolutional(), tmp_path / "model.onnx", task="classification")
    assert "End the model with a softmax" in message


def test_a_wrong_number_of_labels_is_refused(tmp_path: Path) -> None:
    message = refused(dense(), tmp_path / "model.onnx", labels=["a", "b"])
    assert "2 labels were given, and output" in message
    assert "has 3 classes" in message


def test_an_example_of_the_wrong_shape_is_refused(tmp_path: Path) -> None:
    message = refused(dense(), tmp_path / "model.onnx", example=np.ones((2, 19)))
    assert "has shape (2, 19); the model takes (rows, 20)" in message


def test_refused_export_keeps_an_existing_file(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"the old one")
    with pytest.raises(ExportError):
        export_model(convolutional(), path, task="classification")
    assert path.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("activation", "units", "task"),
    [
        ("softmax", 3, "classification"),
        ("sigmoid", 1, "classification"),
        ("sigmoid", 3, "multilabel_classification"),
        ("linear", 3, "other"),
    ],
)
def test_task_that_is_not_given_is_detected(
    tmp_path: Path, activation: str, units: int, task: str
) -> None:
    dense = layers.Dense(units, activation=activation)
    model = keras.Sequential([keras.Input((4,)), layers.Dropout(0.5), dense])
    manifest = export_model(model, tmp_path / "model.onnx")
    assert (manifest.task, manifest.labels) == (task, None)
    assert load_model(tmp_path / "model.onnx").manifest.task == task
