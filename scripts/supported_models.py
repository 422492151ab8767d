"""The kinds of Keras models that the exporter is tested on, and a table of how close it comes.

    python -m scripts.supported_models      writes docs/supported-models.md

Each row builds a small model, or a large one with random weights. The tests
export every one of them (tests/models/export/test_supported_models.py).
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from rich.progress import track

from models.export import export_model
from service.manifest import Manifest, SiteSpec

ROOT = Path(__file__).resolve().parent.parent

Build = Callable[[], Any]


@dataclass(frozen=True)
class Row:
    """One kind of model.

    Attributes:
        name: what the table calls it.
        build: makes the model.
        sites: how many places draw random numbers.
        example: rows to export with, where random ones will not do.
        slow: whether its export takes more than ten seconds.
    """

    name: str
    build: Build
    sites: int
    example: Any = None
    slow: bool = False


ROWS: dict[str, list[Row]] = {}


def row(
    group: str, name: str, sites: int, example: Any = None, slow: bool = False
) -> Callable[[Build], Build]:
    """Register the decorated function as a row of the table."""

    def register(build: Build) -> Build:
        ROWS.setdefault(group, []).append(Row(name, build, sites, example, slow))
        return build

    return register


def sequential(*parts: Any) -> keras.Model:
    """A Sequential model; a shape in first place is the input's."""
    shape, *rest = parts
    return keras.Sequential([keras.Input(shape), *rest])


# 1 Dense and convolutional networks


@row("Networks", "Sequential dense 784-512-256-128-10, rates 0.5, 0.5, 0.3", 3)
def dense() -> keras.Model:
    return sequential(
        (784,),
        layers.Dense(512, "relu"),
        layers.Dropout(0.5),
        layers.Dense(256, "relu"),
        layers.Dropout(0.5),
        layers.Dense(128, "relu"),
        layers.Dropout(0.3),
        layers.Dense(10, "softmax"),
    )


def cnn_layers() -> list[Any]:
    return [
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(32, "relu"),
        layers.Dropout(0.5),
        layers.Dense(10, "softmax"),
    ]


@row("Networks", "Sequential CNN with MaxPooling2D and Flatten", 2)
def cnn() -> keras.Model:
    return sequential((28, 28, 1), *cnn_layers())


@row("Networks", "the same CNN by the functional API", 2)
def functional_cnn() -> keras.Model:
    x = y = keras.Input((28, 28, 1))
    for layer in cnn_layers():
        y = layer(y)
    return keras.Model(x, y)


@row("Networks", "dropout right on the input", 1)
def input_dropout() -> keras.Model:
    return sequential((8,), layers.Dropout(0.2), layers.Dense(3))


@row("Networks", "dropout as the last layer", 1)
def output_dropout() -> keras.Model:
    return sequential((8,), layers.Dense(3), layers.Dropout(0.2))


# 2 Shapes of masks


@row("Masks", "SpatialDropout1D", 1)
def spatial_1d() -> keras.Model:
    return sequential(
        (10, 4),
        layers.SpatialDropout1D(0.3),
        layers.Conv1D(4, 3),
        layers.Flatten(),
        layers.Dense(2),
    )


@row("Masks", "SpatialDropout2D", 1)
def spatial_2d() -> keras.Model:
    return sequential(
        (8, 8, 3),
        layers.Conv2D(4, 3),
        layers.SpatialDropout2D(0.3),
        layers.Flatten(),
        layers.Dense(2),
    )


@row("Masks", "SpatialDropout3D", 1)
def spatial_3d() -> keras.Model:
    return sequential(
        (5, 5, 5, 2),
        layers.Conv3D(4, 3),
        layers.SpatialDropout3D(0.3),
        layers.Flatten(),
        layers.Dense(2),
    )


@row("Masks", "SpatialDropout2D with channels first", 1)
def spatial_channels_first() -> keras.Model:
    return sequential(
        (3, 8, 8),
        layers.SpatialDropout2D(0.3, data_format="channels_first"),
        layers.Flatten(),
        layers.Dense(2),
    )


@row("Masks", "Dropout with noise_shape (None, 1, 6)", 1)
def noise_shape() -> keras.Model:
    return sequential(
        (4, 6), layers.Dropout(0.4, noise_shape=(None, 1, 6)), layers.Flatten(), layers.Dense(2)
    )


@row("Masks", "Dropout with noise_shape (1, 4, 6): one mask for all rows", 1)
def noise_shape_without_batch() -> keras.Model:
    return sequential(
        (4, 6), layers.Dropout(0.4, noise_shape=(1, 4, 6)), layers.Flatten(), layers.Dense(2)
    )


# 3 Layers of one's own


class DenseWithDropout(layers.Layer):
    """Calls tf.nn.dropout under `if training`."""

    def __init__(self, units: int, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense, self.drop_rate = layers.Dense(units), rate

    def call(self, inputs: Any, training: Any = None) -> Any:
        outputs = self.dense(inputs)
        return tf.nn.dropout(outputs, self.drop_rate) if training else outputs


class OwnMask(layers.Layer):
    """Draws its own mask and scales by 1 / (1 - rate)."""

    def __init__(self, draw: Callable[[Any], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.draw = draw

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not training:
            return inputs
        kept = tf.cast(self.draw(inputs) > 0.3, inputs.dtype)
        return inputs * kept / 0.7


class OtherBranch(layers.Layer):
    """Computes something else in training, dropout apart."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.one, self.two, self.drop = layers.Dense(5), layers.Dense(5), layers.Dropout(0.4)

    def build(self, shape: Any) -> None:
        self.one.build(shape)
        self.two.build(shape)

    def call(self, inputs: Any, training: Any = None) -> Any:
        if training:
            return self.drop(self.one(inputs), training=training)
        return self.two(inputs) * 2.0


class Compiled(layers.Layer):
    """Drops inside a tf.function of its own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.drop = layers.Dropout(0.4)

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow ships no types
    def _drop(self, inputs: Any, training: Any) -> Any:
        return self.drop(inputs, training=training)

    def call(self, inputs: Any, training: Any = None) -> Any:
        return self._drop(inputs, training)


@row("Layers of your own", "tf.nn.dropout under `if training:`", 1)
def own_dropout() -> keras.Model:
    return sequential((6,), DenseWithDropout(8, 0.5), layers.Dense(2))


@row("Layers of your own", "own mask by tf.random.uniform", 1)
def own_uniform() -> keras.Model:
    return sequential((6,), OwnMask(lambda x: tf.random.uniform(tf.shape(x))), layers.Dense(2))


@row("Layers of your own", "own mask by keras.random.uniform", 1)
def own_keras_uniform() -> keras.Model:
    seed = keras.random.SeedGenerator(1)
    return sequential(
        (6,), OwnMask(lambda x: keras.random.uniform(tf.shape(x), seed=seed)), layers.Dense(2)
    )


@row("Layers of your own", "own mask by tf.random.Generator", 1)
def own_generator() -> keras.Model:
    generator = tf.random.Generator.from_seed(1)
    return sequential((6,), OwnMask(lambda x: generator.uniform(tf.shape(x))), layers.Dense(2))


@row("Layers of your own", "own mask by tf.random.stateless_uniform", 1)
def own_stateless() -> keras.Model:
    return sequential(
        (6,), OwnMask(lambda x: tf.random.stateless_uniform(tf.shape(x), [1, 2])), layers.Dense(2)
    )


class Autograph(layers.Layer):
    """A tf.function with an `if` on a tensor, and dropout after it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.drop = layers.Dropout(0.4)

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow ships no types
    def call(self, inputs: Any, training: Any = None) -> Any:
        if tf.rank(inputs) > 1:
            inputs = inputs * 2.0
        return self.drop(inputs, training=training)


class Concrete(layers.Layer):
    """Concrete dropout (Gal, Hron & Kendall 2017): its rate is a weight."""

    def build(self, shape: Any) -> None:
        self.p = self.add_weight(shape=(), initializer=keras.initializers.Constant(0.3))

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not training:
            return inputs
        ops = keras.ops
        u = keras.random.uniform(ops.shape(inputs))
        logit = ops.log(self.p) - ops.log(1 - self.p) + ops.log(u + 1e-7) - ops.log(1 - u + 1e-7)
        return inputs * (1 - ops.sigmoid(logit / 0.1)) / (1 - self.p)


@row("Layers of your own", "tf.function with an `if` on a tensor", 1)
def autograph() -> keras.Model:
    return sequential((6,), Autograph(), layers.Dense(2))


@row("Layers of your own", "concrete dropout", 1)
def concrete() -> keras.Model:
    return sequential((6,), Concrete(), layers.Dense(2))


@row("Layers of your own", "a different else branch", 1)
def other_branch() -> keras.Model:
    return sequential((6,), OtherBranch(), layers.Dense(2))


@row("Layers of your own", "dropout inside a tf.function", 1)
def compiled() -> keras.Model:
    return sequential((6,), Compiled(), layers.Dense(2))


# 4 Graphs of layers


@row("Graphs", "Lambda between Input and Dropout", 1)
def after_lambda() -> keras.Model:
    x = keras.Input((6,))
    y = layers.Dropout(0.3)(layers.Lambda(lambda t: t * 2.0)(x))
    return keras.Model(x, layers.Dense(2)(y))


@row("Graphs", "a sub-model called twice, two outputs, dropout on both ways", 3)
def reentered() -> keras.Model:
    inner_in = keras.Input((6,))
    inner_out = layers.Dropout(0.5)(layers.Dense(6, "relu")(inner_in))
    inner = keras.Model(inner_in, inner_out, name="encoder")
    x = keras.Input((6,), name="x")
    first = inner(x)
    second = inner(layers.Dense(6)(first))
    return keras.Model(
        x,
        [layers.Dense(3, name="a")(first), layers.Dense(2, name="b")(layers.Dropout(0.2)(second))],
    )


@row("Graphs", "one Dropout layer called three times", 3)
def shared_dropout() -> keras.Model:
    drop, x = layers.Dropout(0.4), keras.Input((6,))
    y = layers.Dense(2)(drop(layers.Dense(5)(drop(layers.Dense(7)(drop(x))))))
    return keras.Model(x, y)


@row("Graphs", "two inputs as a list, two outputs as a list", 2)
def lists() -> keras.Model:
    a, b = keras.Input((4,), name="a"), keras.Input((5,), name="b")
    joined = layers.Dropout(0.3)(layers.Concatenate()([a, b]))
    second = layers.Dropout(0.2)(layers.Dense(3)(b))
    return keras.Model([a, b], [layers.Dense(2)(joined), second])


@row("Graphs", "inputs and outputs as dicts", 1)
def dicts() -> keras.Model:
    a, b = keras.Input((4,), name="a"), keras.Input((5,), name="b")
    joined = layers.Dropout(0.3)(layers.Concatenate()([a, b]))
    return keras.Model({"a": a, "b": b}, {"left": layers.Dense(2)(joined), "right": joined})


@row("Graphs", "integer input into an Embedding", 1)
def embedding() -> keras.Model:
    return sequential(
        (7,), layers.Embedding(20, 6), layers.Dropout(0.3), layers.Flatten(), layers.Dense(2)
    )


@row("Graphs", "dynamic sequence axis", 2)
def dynamic_sequence() -> keras.Model:
    return sequential(
        (None, 4),
        layers.SpatialDropout1D(0.3),
        layers.Conv1D(6, 3, padding="same"),
        layers.Dropout(0.3),
        layers.GlobalAveragePooling1D(),
        layers.Dense(2),
    )


@row("Graphs", "dynamic image axes", 1)
def dynamic_image() -> keras.Model:
    return sequential(
        (None, None, 3),
        layers.Conv2D(6, 3, padding="same"),
        layers.Dropout(0.3),
        layers.GlobalMaxPooling2D(),
        layers.Dense(2),
    )


@row("Graphs", "U-Net with skip connections", 2)
def unet() -> keras.Model:
    x = keras.Input((16, 16, 1))
    down = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    deep = layers.SpatialDropout2D(0.2)(
        layers.Conv2D(8, 3, padding="same")(layers.MaxPooling2D()(down))
    )
    up = layers.Concatenate()([down, layers.UpSampling2D()(deep)])
    return keras.Model(x, layers.Conv2DTranspose(2, 3, padding="same")(layers.Dropout(0.3)(up)))


@row("Graphs", "mean and log variance as outputs", 1)
def heteroscedastic() -> keras.Model:
    x = keras.Input((3,))
    y = layers.Dropout(0.2)(layers.Dense(20, "relu")(x))
    return keras.Model(x, {"mean": layers.Dense(1)(y), "log_variance": layers.Dense(1)(y)})


@row("Graphs", "rates 0, 0.01, 0.99 and 1 side by side", 2)
def rates() -> keras.Model:
    x = keras.Input((200,))
    ways = [layers.Dropout(rate)(x) for rate in (0.0, 0.01, 0.99, 1.0)]
    return keras.Model(x, layers.Dense(2)(layers.Concatenate()(ways)))


# 5 Subclassed models


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.drop = layers.Dense(8, "relu"), layers.Dropout(0.5)
        self.head = layers.Dense(2)

    def call(self, inputs: Any, training: Any = None) -> Any:
        return self.head(self.drop(self.hidden(inputs), training=training))


EXAMPLE = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)


@row("Subclassed models", "never called, with an example", 1, EXAMPLE)
def subclassed() -> keras.Model:
    return Subclassed()


class Residual(layers.Layer):
    """Dense, normalisation and dropout around a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.dense, self.norm = layers.Dense(6, "relu"), layers.BatchNormalization()
        self.drop = layers.Dropout(0.3)

    def call(self, inputs: Any, training: Any = None) -> Any:
        outputs = self.norm(self.dense(inputs), training=training)
        return inputs + self.drop(outputs, training=training)


class Stack(keras.Model):
    """Three residual layers, a dict of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks, self.head = [Residual() for _ in range(3)], layers.Dense(2)

    def call(self, inputs: Any, training: Any = None) -> Any:
        for block in self.blocks:
            inputs = block(inputs, training=training)
        return {"features": inputs, "head": self.head(inputs)}


@row("Subclassed models", "residual layers with BatchNormalization, a dict of outputs", 3, EXAMPLE)
def subclassed_stack() -> keras.Model:
    return Stack()


@row("Subclassed models", "after fit, and calls with training False, then True", 1)
def subclassed_used() -> keras.Model:
    model = Subclassed()
    model.compile("sgd", "mse")
    model.fit(EXAMPLE, np.zeros((4, 2)), epochs=1, verbose=0)
    model(EXAMPLE, training=False)
    model(EXAMPLE, training=True)
    return model


@row("Subclassed models", "after a training loop of one's own", 1)
def subclassed_loop() -> keras.Model:
    model, optimizer = Subclassed(), keras.optimizers.SGD(0.01)
    for _ in range(2):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(EXAMPLE, training=True)))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return model


# 6 Dropout that is always on


class MCDropout(layers.Dropout):
    def call(self, inputs: Any, training: Any = None) -> Any:
        return super().call(inputs, training=True)


@row("Always on", "Dropout(0.5)(x, training=True)", 1)
def hard_coded() -> keras.Model:
    x = keras.Input((6,))
    return keras.Model(x, layers.Dense(2)(layers.Dropout(0.5)(x, training=True)))


@row("Always on", "an MCDropout that ignores the flag", 1)
def mc_dropout() -> keras.Model:
    return sequential((6,), layers.Dense(8), MCDropout(0.5), layers.Dense(2))


# 8 Normalisation and augmentation around dropout


@row("Normalisation", "BatchNormalization before and after", 1)
def batch_norm() -> keras.Model:
    model = sequential(
        (6,),
        layers.BatchNormalization(),
        layers.Dropout(0.4),
        layers.Dense(5),
        layers.BatchNormalization(),
        layers.Dense(2),
    )
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(layer.moving_mean + 3.0)
            layer.moving_variance.assign(layer.moving_variance * 5.0)
    return model


@row("Normalisation", "LayerNormalization, GroupNormalization, UnitNormalization", 1)
def other_norms() -> keras.Model:
    return sequential(
        (6,),
        layers.LayerNormalization(),
        layers.Dropout(0.4),
        layers.Dense(6),
        layers.GroupNormalization(2),
        layers.UnitNormalization(),
        layers.Dense(2),
    )


@row("Normalisation", "SpectralNormalization", 1)
def spectral_norm() -> keras.Model:
    return sequential(
        (6,), layers.SpectralNormalization(layers.Dense(8)), layers.Dropout(0.4), layers.Dense(2)
    )


@row("Normalisation", "random augmentation layers, which stay off", 1)
def augmentation() -> keras.Model:
    return sequential(
        (12, 12, 3),
        layers.RandomFlip(),
        layers.RandomRotation(0.2),
        layers.RandomContrast(0.3),
        layers.RandomZoom(0.2),
        layers.Conv2D(4, 3),
        layers.Flatten(),
        layers.Dropout(0.4),
        layers.Dense(2),
    )


# 9 Recurrent layers

RECURRENT: dict[str, tuple[Build, int]] = {
    "LSTM": (lambda: layers.LSTM(5, dropout=0.3, recurrent_dropout=0.2), 8),
    "GRU, reset_after": (lambda: layers.GRU(5, dropout=0.3, recurrent_dropout=0.2), 6),
    "GRU, not reset_after": (
        lambda: layers.GRU(5, dropout=0.3, recurrent_dropout=0.2, reset_after=False),
        6,
    ),
    "SimpleRNN": (lambda: layers.SimpleRNN(5, dropout=0.3, recurrent_dropout=0.2), 2),
    "Bidirectional LSTM": (lambda: layers.Bidirectional(layers.LSTM(5, dropout=0.3)), 2),
    "stacked cells": (
        lambda: layers.RNN([layers.LSTMCell(5, dropout=0.3), layers.GRUCell(4, dropout=0.2)]),
        2,
    ),
    "LSTM that returns sequences, unrolled": (
        lambda: layers.LSTM(5, dropout=0.3, return_sequences=True, unroll=True),
        1,
    ),
    "TimeDistributed(Dropout), one site a step": (
        lambda: layers.TimeDistributed(layers.Dropout(0.4)),
        6,
    ),
}
for _name, (_build, _sites) in RECURRENT.items():

    def _recurrent(build: Build = _build) -> keras.Model:
        return sequential((6, 3), build(), layers.Flatten(), layers.Dense(2))

    row("Recurrent", _name, _sites)(_recurrent)


@row("Recurrent", "LSTM on a masked Embedding", 1)
def masked_lstm() -> keras.Model:
    return sequential(
        (7,), layers.Embedding(20, 6, mask_zero=True), layers.LSTM(5, dropout=0.3), layers.Dense(2)
    )


@row("Recurrent", "LSTM on a dynamic sequence axis", 8)
def dynamic_lstm() -> keras.Model:
    return sequential(
        (None, 3), layers.LSTM(5, dropout=0.3, recurrent_dropout=0.2), layers.Dense(2)
    )


@row("Recurrent", "ConvLSTM2D", 8)
def conv_lstm() -> keras.Model:
    return sequential(
        (4, 6, 6, 2),
        layers.ConvLSTM2D(3, 3, dropout=0.3, recurrent_dropout=0.2),
        layers.Flatten(),
        layers.Dense(2),
    )


# 10 Attention


@row("Attention", "MultiHeadAttention", 1)
def multi_head() -> keras.Model:
    x = keras.Input((5, 8))
    y = layers.MultiHeadAttention(2, 4, dropout=0.3)(x, x)
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(y)))


@row("Attention", "GroupQueryAttention", 1)
def group_query() -> keras.Model:
    x = keras.Input((5, 8))
    y = layers.GroupQueryAttention(4, 4, 2, dropout=0.3)(x, x)
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(y)))


@row("Attention", "Attention and AdditiveAttention", 2)
def attention() -> keras.Model:
    x = keras.Input((5, 8))
    y = layers.Attention(dropout=0.3)([x, x])
    y = layers.AdditiveAttention(dropout=0.2)([y, x])
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(y)))


@row("Attention", "Transformer encoder block with GELU", 3)
def transformer() -> keras.Model:
    x = keras.Input((5, 8))
    attended = layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x)
    y = layers.LayerNormalization()(layers.Add()([x, layers.Dropout(0.1)(attended)]))
    z = layers.Dense(8)(layers.Dense(16, activation="gelu")(y))
    y = layers.LayerNormalization()(layers.Add()([y, layers.Dropout(0.1)(z)]))
    return keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling1D()(y)))


@row("Attention", "stochastic depth: Dropout with noise_shape (None, 1, 1)", 1)
def drop_path() -> keras.Model:
    x = keras.Input((5, 8))
    y = layers.Dropout(0.2, noise_shape=(None, 1, 1))(layers.Dense(8)(x))
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(layers.Add()([x, y]))))


class DropPath(layers.Layer):
    """Stochastic depth as ConvNeXt draws it."""

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not training:
            return inputs
        shape = (keras.ops.shape(inputs)[0], 1, 1)
        return inputs / 0.8 * keras.ops.floor(0.8 + keras.random.uniform(shape))


@row("Attention", "stochastic depth by keras.random.uniform", 1)
def own_drop_path() -> keras.Model:
    x = keras.Input((5, 8))
    y = DropPath()(layers.Dense(8)(x))
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(layers.Add()([x, y]))))


# 11 Noise


@row("Noise", "GaussianDropout", 1)
def gaussian_dropout() -> keras.Model:
    return sequential((6,), layers.GaussianDropout(0.3), layers.Dense(2))


@row("Noise", "GaussianNoise", 1)
def gaussian_noise() -> keras.Model:
    return sequential((6,), layers.GaussianNoise(0.3), layers.Dense(2))


@row("Noise", "AlphaDropout", 1)
def alpha_dropout() -> keras.Model:
    return sequential((6,), layers.Dense(8, "selu"), layers.AlphaDropout(0.3), layers.Dense(2))


@row("Noise", "AlphaDropout with noise_shape (None, 1, 6), GaussianNoise and Dropout", 3)
def noises() -> keras.Model:
    return sequential(
        (4, 6),
        layers.AlphaDropout(0.3, noise_shape=(None, 1, 6)),
        layers.GaussianNoise(0.2),
        layers.Flatten(),
        layers.Dropout(0.2),
        layers.Dense(2),
    )


# 12 keras.applications, random weights


def application(name: str, size: int, sites: int, **options: Any) -> None:
    """Register a network of keras.applications with a dropout head."""

    def build() -> keras.Model:
        network = getattr(keras.applications, name)(
            weights=None, include_top=False, input_shape=(size, size, 3), pooling="avg", **options
        )
        head = layers.Dense(4)(layers.Dropout(0.3)(network.output))
        return keras.Model(network.input, head)

    row("keras.applications", f"{name} with a dropout head", sites, slow=True)(build)


application("MobileNetV2", 64, 1)
application("ResNet50", 64, 1)
application("DenseNet121", 64, 1)
application("VGG16", 32, 1)
application("EfficientNetB0", 64, 10)
application("EfficientNetV2B0", 64, 16)
application("ConvNeXtTiny", 64, 1)


# 14 Precision


def precise(policy: str) -> Build:
    """A builder of a small model under a dtype policy."""

    def build() -> keras.Model:
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            return sequential(
                (6,),
                layers.Dense(8, "relu"),
                layers.Dropout(0.4),
                layers.GaussianNoise(0.1),
                layers.Dense(2),
            )
        finally:
            keras.config.set_dtype_policy(before)

    return build


for _policy in ("float16", "mixed_float16", "float64"):
    row("Precision", _policy, 2)(precise(_policy))
row("Precision", "mixed_bfloat16, exported in float32", 2)(precise("mixed_bfloat16"))


def largest_difference(manifest: Manifest) -> float:
    """The larger of the two differences that the checks measured."""
    checks = manifest.checks
    return max(checks.off_difference, checks.frozen_difference) if checks else float("nan")


def kinds(sites: tuple[SiteSpec, ...]) -> str:
    """The kinds of the sites, each with its number."""
    names = [site.kind for site in sites]
    return ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))


HEADER = """# Supported models

Every row is a model that the tests export, and that the server then samples. *Difference* is the
largest, relative to the largest output, between the exported file and Keras with dropout off, or
with every draw at its middle; 1e-5 is allowed, and 5e-3 where a layer computes in float16. This
page is written by `python -m scripts.supported_models`.
"""


def main() -> None:
    """Export every row and write the table."""
    lines = [HEADER]
    everything = [(group, entry) for group, entries in ROWS.items() for entry in entries]
    group = ""
    with tempfile.TemporaryDirectory() as folder:
        for title, entry in track(everything, "exporting"):
            if title != group:
                group = title
                lines += [f"\n## {group}\n", "| model | sites | difference |", "|---|---|---|"]
            keras.utils.clear_session()
            keras.utils.set_random_seed(0)
            path = Path(folder) / "model.onnx"
            manifest = export_model(entry.build(), path, task="other", example=entry.example)
            difference = f"{largest_difference(manifest):.1e}"
            lines.append(f"| {entry.name} | {kinds(manifest.sites)} | {difference} |")
    (ROOT / "docs" / "supported-models.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
