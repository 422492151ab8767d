"""Draws that all rows of a pass share, and draws whose batch is not a separate axis."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from scripts.supported_models.registry import row, sequential


class OnWeights(layers.Layer):
    """A dense layer that uses `drawn(kernel)` instead of its kernel in training."""

    def __init__(self, drawn: Callable[[Any], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.drawn = drawn

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], 4), name="kernel")

    def call(self, inputs: Any, training: Any = None) -> Any:
        kernel = tf.convert_to_tensor(self.kernel)
        return inputs @ (self.drawn(kernel) if training else kernel)


def own_mask(kernel: Any) -> Any:
    """DropConnect with a custom mask, drawn with a leading axis."""
    kept = tf.random.uniform((1, *kernel.shape))[0] >= 0.3
    return tf.where(kept, kernel / 0.7, 0.0)


ON_WEIGHTS: dict[str, Callable[[Any], Any]] = {
    "DropConnect: tf.nn.dropout of a kernel": lambda kernel: tf.nn.dropout(kernel, 0.3),
    "DropConnect: a uniform mask on a kernel, [0] of (1, in, out)": own_mask,
    "Dropout of kernel[None]": lambda kernel: tf.nn.dropout(kernel[None], 0.3)[0],
    "one Dropout for a column of a kernel, noise_shape (1, out)": lambda kernel: tf.nn.dropout(
        kernel, 0.3, noise_shape=(1, 4)
    ),
}
for _name, _drawn in ON_WEIGHTS.items():

    def _on_weights(drawn: Callable[[Any], Any] = _drawn) -> keras.Model:
        return sequential((6,), layers.Dense(6, "relu"), OnWeights(drawn), layers.Dense(2))

    row("Draws that rows share", _name, 1)(_on_weights)


class Variational(layers.Layer):
    """Bayes by backprop (Blundell et al. 2015): a normal kernel of learned mean and deviation."""

    def build(self, shape: Any) -> None:
        self.mean = self.add_weight(shape=(shape[-1], 4))
        deviation = keras.initializers.Constant(-1.0)
        self.rho = self.add_weight(shape=(shape[-1], 4), initializer=deviation)

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not training:
            return ops.matmul(inputs, self.mean)
        noise = keras.random.normal(self.mean.shape)
        return ops.matmul(inputs, self.mean + ops.softplus(self.rho) * noise)


@row("Draws that rows share", "Bayes by backprop: normal numbers of a kernel's shape", 1)
def variational() -> keras.Model:
    return sequential((6,), Variational(), layers.Dense(2))


class FourierFeatures(layers.Layer):
    """Random Fourier features (Rahimi & Recht 2007), drawn for each pass."""

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not training:
            return inputs
        projected = ops.matmul(inputs, keras.random.normal((6, 3)))
        return ops.concatenate([ops.cos(projected), ops.sin(projected)], axis=-1)


@row("Draws that rows share", "random Fourier features", 1)
def fourier_features() -> keras.Model:
    return sequential((6,), FourierFeatures(), layers.Dense(2))


class Scaled(layers.Layer):
    """Multiplies by 1 plus a little noise of a given shape."""

    def __init__(self, shape: tuple[int, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shape = shape

    def call(self, inputs: Any, training: Any = None) -> Any:
        return inputs * (1 + 0.3 * keras.random.normal(self.shape)) if training else inputs


@row("Draws that rows share", "noise of shape () and (6,), DropConnect, and Dropout for rows", 4)
def mixed() -> keras.Model:
    connect = OnWeights(ON_WEIGHTS["DropConnect: tf.nn.dropout of a kernel"])
    return sequential((6,), layers.Dropout(0.2), Scaled(()), Scaled((6,)), connect, layers.Dense(2))


class OneCoin(layers.Layer):
    """Skips a branch for the whole batch at random."""

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not training:
            return inputs
        return inputs * ops.cast(keras.random.uniform((1, 1)) < 0.5, inputs.dtype) * 2.0


@row("Draws that rows share", "one coin for all: uniform (1, 1)", 1)
def one_coin() -> keras.Model:
    return sequential((6,), layers.Dense(6), OneCoin(), layers.Dense(2))


class Positions(layers.Layer):
    """Adds learned positions after a dropout."""

    def build(self, shape: Any) -> None:
        self.positions, self.drop = self.add_weight(shape=(1, *shape[1:])), layers.Dropout(0.4)

    def call(self, inputs: Any, training: Any = None) -> Any:
        return inputs + self.drop(self.positions, training=training)


@row("Draws that rows share", "Dropout of a position embedding (1, T, D)", 1)
def positions() -> keras.Model:
    return sequential((3, 4), Positions(), layers.Flatten(), layers.Dense(2))


class Moved(layers.Layer):
    """Dropout and a dense layer on a rearranged input."""

    def __init__(self, there: Callable[[Any], Any], back: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.there, self.back = there, back
        self.drop, self.dense = layers.Dropout(0.4), layers.Dense(3)

    def call(self, inputs: Any, training: Any = None) -> Any:
        moved = self.dense(self.drop(self.there(inputs), training=training))
        return self.back(moved, inputs)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


def time_first(x: Any) -> Any:
    """Exchange the axes (batch, time, …) and (time, batch, …)."""
    return ops.transpose(x, (1, 0, 2))


def like(moved: Any, x: Any) -> Any:
    """Reshape to the shape of `x`."""
    return ops.reshape(moved, ops.shape(x))


def merged(x: Any) -> Any:
    """Reshape to (batch · time, …)."""
    return ops.reshape(x, (-1, 3))


MOVED: dict[str, tuple[Any, Any]] = {
    "batch and time in one axis: TimeDistributed by hand": (merged, like),
    "windows in the batch's axis, as Swin has them": (lambda x: ops.reshape(x, (-1, 2, 3)), like),
    "time before the batch": (time_first, lambda moved, x: time_first(moved)),
    "time and batch in one axis, time in front": (
        lambda x: merged(time_first(x)),
        lambda moved, x: time_first(ops.reshape(moved, (6, -1, 3))),
    ),
    "the whole batch as a vector": (
        lambda x: ops.reshape(x, (-1, 1)),
        lambda moved, x: like(moved[:, :1], x),
    ),
}
for _name, _ways in MOVED.items():

    def _moved(ways: tuple[Any, Any] = _ways) -> keras.Model:
        return sequential((6, 3), Moved(*ways), layers.Flatten(), layers.Dense(2))

    row("The batch in other places", _name, 1)(_moved)


@row("The batch in other places", "batch and time in one axis, dynamic length", 1)
def merged_dynamic() -> keras.Model:
    return sequential((None, 3), Moved(merged, like), layers.GlobalAveragePooling1D())
