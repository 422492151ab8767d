"""Models that pass a `training` argument of their own to a layer."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from scripts.supported_models.registry import row, sequential

GROUP = "Hard-coded training arguments"
EXAMPLE = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
STEPS = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)


class Switched(keras.Model):
    """`body(model, inputs, training)`, then a dropout that follows the flag, and a Dense layer."""

    def __init__(self, body: Callable[..., Any], **parts: keras.layers.Layer) -> None:
        super().__init__()
        self.body = body
        for name, part in parts.items():
            setattr(self, name, part)
        self.drop, self.head = layers.Dropout(0.3), layers.Dense(2)

    def call(self, inputs: Any, training: Any = None) -> Any:
        inputs = self.body(self, inputs, training)
        return self.head(self.drop(inputs, training=training))


def backbone() -> keras.Model:
    """A functional model with normalization and dropout, such as a downloaded one."""
    x = keras.Input((6,))
    y = layers.BatchNormalization()(layers.Dense(8, "relu")(x))
    return keras.Model(x, layers.Dropout(0.5, name="quiet")(y), name="backbone")


@row(
    GROUP,
    "transfer learning: self.backbone(x, training=False) in a subclass",
    1,
    EXAMPLE,
    kept_off=("quiet",),
)
def frozen_backbone() -> keras.Model:
    return Switched(lambda m, x, _: m.backbone(x, training=False), backbone=backbone())


@row(
    GROUP,
    "self.before(x, training=False), beside a dropout that follows the flag",
    1,
    EXAMPLE,
    kept_off=("quiet",),
)
def one_off() -> keras.Model:
    return Switched(
        lambda m, x, _: m.before(x, training=False), before=layers.Dropout(0.5, name="quiet")
    )


@row(
    GROUP,
    "R-Drop: one Dropout called with False and with `training`",
    2,
    EXAMPLE,
    kept_off=("shared",),
)
def r_drop() -> keras.Model:
    def both(model: Any, x: Any, training: Any) -> Any:
        off, on = model.twice(x, training=False), model.twice(x, training=training)
        return off + 2.0 * on

    return Switched(both, twice=layers.Dropout(0.5, name="shared"))


@row(
    GROUP,
    "a Sequential and GaussianNoise called with training=False",
    1,
    EXAMPLE,
    kept_off=("a", "b", "c"),
)
def sequential_off() -> keras.Model:
    return Switched(
        lambda m, x, _: m.noise(m.block(x, training=False), training=False),
        block=sequential(
            (6,), layers.Dense(8), layers.Dropout(0.5, name="a"), layers.AlphaDropout(0.2, name="b")
        ),
        noise=layers.GaussianNoise(0.5, name="c"),
    )


@row(
    GROUP,
    "a layer called without the argument after one called with False: off in Keras",
    1,
    kept_off=("a", "b"),
)
def inherited() -> keras.Model:
    def body(model: Any, x: Any, training: Any) -> Any:
        return model.second(model.first(x, training=False))

    model = Switched(
        body, first=layers.Dropout(0.5, name="a"), second=layers.Dropout(0.4, name="b")
    )
    model(EXAMPLE)
    return model


@row(
    GROUP,
    "Bidirectional and TimeDistributed called with training=False",
    1,
    STEPS,
    kept_off=("steps", "forward_rnn", "backward_rnn"),
)
def recurrent_off() -> keras.Model:
    def body(model: Any, x: Any, training: Any) -> Any:
        return model.both(model.steps(x, training=False), training=False)

    return Switched(
        body,
        steps=layers.TimeDistributed(layers.Dropout(0.5), name="steps"),
        both=layers.Bidirectional(
            layers.SimpleRNN(2, dropout=0.4, recurrent_dropout=0.2, name="rnn")
        ),
    )


@row(
    GROUP,
    "MultiHeadAttention and BatchNormalization called with training=False",
    1,
    STEPS,
    kept_off=("dropout",),
)
def attention_off() -> keras.Model:
    def body(model: Any, x: Any, training: Any) -> Any:
        return model.flat(model.norm(model.attention(x, x, training=False), training=False))

    attention = layers.MultiHeadAttention(2, 3, dropout=0.5)
    norm, flat = layers.BatchNormalization(), layers.Flatten()
    return Switched(body, attention=attention, norm=norm, flat=flat)


@row(GROUP, "SimpleRNN called with False and with `training`", 3, STEPS, kept_off=("rnn",))
def recurrent_twice() -> keras.Model:
    def body(model: Any, x: Any, training: Any) -> Any:
        return model.rnn(x, training=False) + model.rnn(x, training=training)

    return Switched(body, rnn=layers.SimpleRNN(4, dropout=0.4, recurrent_dropout=0.2, name="rnn"))


@row(GROUP, "functional base(x, training=False): Keras 3 gives it the model's own", 2)
def functional_base() -> keras.Model:
    x = keras.Input((6,))
    base = sequential((6,), layers.Dense(8, "relu"), layers.Dropout(0.5))
    return keras.Model(x, layers.Dense(2)(layers.Dropout(0.3)(base(x, training=False))))


@row(GROUP, "self.before(x, training=True): on whatever the flag", 2, EXAMPLE)
def hard_on() -> keras.Model:
    return Switched(lambda m, x, _: m.before(x, training=True), before=layers.Dropout(0.5))


@row(GROUP, "GaussianNoise called with training=True", 2, EXAMPLE)
def noise_hard_on() -> keras.Model:
    return Switched(lambda m, x, _: m.noise(x, training=True), noise=layers.GaussianNoise(0.5))
