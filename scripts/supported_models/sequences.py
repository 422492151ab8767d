"""Recurrent layers, attention and noise."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from scripts.supported_models.registry import Build, row, sequential

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


class DroppingCell(layers.Layer):
    """A cell with new masks at each step for its input and for the change of its state."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.read, self.drop = layers.Dense(units, "tanh"), layers.Dropout(0.4)

    def build(self, shape: Any) -> None:
        self.read.build(shape)

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        added = self.drop(self.read(self.drop(inputs, training=training)), training=training)
        state = 0.7 * states[0] + added
        return state, [state]


@row("Recurrent", "a cell of your own with Dropout at each step", 8)
def own_cell() -> keras.Model:
    return sequential((4, 3), layers.RNN(DroppingCell(5)), layers.Dense(2))


class DroppingState(DroppingCell):
    """A cell with dropout on its state, which is 0 at the first step."""

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        state = self.read(inputs) + self.drop(states[0], training=training)
        return state, [state]


@row("Recurrent", "a cell of your own with Dropout on its state, at first of zeros", 4)
def own_state() -> keras.Model:
    return sequential((4, 3), layers.RNN(DroppingState(5)), layers.Dense(2))


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


class Patches(layers.Layer):
    """An image as a sequence of its 4×4 patches."""

    def call(self, inputs: Any) -> Any:
        sizes = [1, 4, 4, 1]
        patches = tf.image.extract_patches(inputs, sizes, sizes, [1, 1, 1, 1], "VALID")
        return tf.reshape(patches, [tf.shape(inputs)[0], -1, patches.shape[-1]])


class ClassToken(layers.Layer):
    """Prepends a learned token to the sequence, and adds learned positions."""

    def build(self, shape: Any) -> None:
        self.token = self.add_weight(shape=(1, 1, shape[-1]))
        self.positions = self.add_weight(shape=(1, 17, shape[-1]))

    def call(self, inputs: Any) -> Any:
        token = tf.tile(self.token, [tf.shape(inputs)[0], 1, 1])
        return tf.concat([token, inputs], axis=1) + self.positions


@row("Attention", "vision transformer with tf.image.extract_patches", 6)
def vision_transformer() -> keras.Model:
    x = keras.Input((16, 16, 3))
    y = ClassToken()(layers.Dense(8)(Patches()(x)))
    for _ in range(2):
        z = layers.LayerNormalization()(y)
        z = layers.MultiHeadAttention(2, 4, dropout=0.1)(z, z)
        y = layers.Add()([y, layers.Dropout(0.1)(z)])
        z = layers.Dense(16, activation="gelu")(layers.LayerNormalization()(y))
        y = layers.Add()([y, layers.Dropout(0.1)(layers.Dense(8)(z))])
    return keras.Model(x, layers.Dense(3)(y[:, 0]))


@row("Attention", "temporal convolutions with SpatialDropout1D, dynamic length", 3)
def temporal_convolutions() -> keras.Model:
    x = y = keras.Input((None, 3))
    for dilation in (1, 2, 4):
        z = layers.Conv1D(6, 3, padding="causal", dilation_rate=dilation, activation="relu")(y)
        y = layers.Add()([layers.Conv1D(6, 1)(y), layers.SpatialDropout1D(0.2)(z)])
    return keras.Model(x, layers.Dense(1)(y))


@row("Attention", "stochastic depth: Dropout with noise_shape (None, 1, 1)", 1)
def drop_path() -> keras.Model:
    x = keras.Input((5, 8))
    y = layers.Dropout(0.2, noise_shape=(None, 1, 1))(layers.Dense(8)(x))
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(layers.Add()([x, y]))))


class DropPath(layers.Layer):
    """Stochastic depth as in ConvNeXt."""

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
