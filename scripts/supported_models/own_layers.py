"""Custom layers and models, and dropout that is always on."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from scripts.supported_models.registry import row, sequential


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
    """Computes something else in training, in addition to dropout."""

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
    """Drops inside a tf.function."""

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


@row("Layers of your own", "own noise, keras.random.normal((1,))[0]: one number for all rows", 1)
def own_shared() -> keras.Model:
    return sequential(
        (6,), OwnMask(lambda x: tf.zeros_like(x) + keras.random.normal((1,))[0]), layers.Dense(2)
    )


class Autograph(layers.Layer):
    """A tf.function with an `if` on a tensor, followed by dropout."""

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


class OtherNumbers(layers.Layer):
    """Truncated normal, integer, categorical and binomial numbers."""

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not training:
            return inputs
        shape = keras.ops.shape(inputs)
        chosen = keras.random.categorical(inputs, 1)[:, 0]
        return (
            inputs * keras.random.truncated_normal(shape, 1.0, 0.3)
            + keras.ops.cast(keras.random.randint(shape, -1, 2), inputs.dtype)
            + keras.ops.one_hot(chosen, 6)
            + keras.random.binomial(shape, 2.0, 0.3)
        )


class TrainedRates(layers.Layer):
    """Drops at rates that are variables."""

    def build(self, shape: Any) -> None:
        self.logit = self.add_weight(shape=(), initializer=keras.initializers.Constant(-1.0))
        self.p = self.add_weight(shape=(), initializer=keras.initializers.Constant(0.2))

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not training:
            return inputs
        halved = tf.nn.dropout(inputs, tf.sigmoid(self.logit) / 2)
        return keras.random.dropout(halved, tf.convert_to_tensor(self.p))


@row("Layers of your own", "rates that are trained variables", 2)
def trained_rates() -> keras.Model:
    return sequential((6,), TrainedRates(), layers.Dense(2))


@row("Layers of your own", "truncated normal, integer, categorical and binomial numbers", 4)
def other_numbers() -> keras.Model:
    return sequential((6,), OtherNumbers(), layers.Dense(2))


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
    """Dense, normalization and dropout inside a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.dense, self.norm = layers.Dense(6, "relu"), layers.BatchNormalization()
        self.drop = layers.Dropout(0.3)

    def call(self, inputs: Any, training: Any = None) -> Any:
        outputs = self.norm(self.dense(inputs), training=training)
        return inputs + self.drop(outputs, training=training)


class Stack(keras.Model):
    """Three residual layers, whose output is a dict."""

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
