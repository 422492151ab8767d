"""Networks of keras.applications; other precisions, names, batches and outputs."""

from typing import Any

import keras
from keras import layers

from scripts.supported_models.own_layers import EXAMPLE
from scripts.supported_models.registry import Build, row, sequential


def application(name: str, size: int, sites: int, **options: Any) -> None:
    """Register a network of keras.applications with a dropout head."""

    def build() -> keras.Model:
        network = getattr(keras.applications, name)(
            weights=None, include_top=False, input_shape=(size, size, 3), pooling="avg", **options
        )
        head = layers.Dense(4)(layers.Dropout(0.3)(network.output))
        return keras.Model(network.input, head)

    row("keras.applications", f"{name} with a dropout head", sites, slow=True)(build)


def whole_application(name: str, size: int, sites: int) -> None:
    """Register a network of keras.applications with the dropout that it already has."""

    def build() -> keras.Model:
        return getattr(keras.applications, name)(
            weights=None, input_shape=(size, size, 3), classes=4, classifier_activation=None
        )

    row("keras.applications", f"{name} as it comes", sites, slow=True)(build)


whole_application("MobileNet", 64, 1)
whole_application("MobileNetV3Small", 64, 1)
application("MobileNetV2", 64, 1)
application("ResNet50", 64, 1)
application("DenseNet121", 64, 1)
application("VGG16", 32, 1)
application("EfficientNetB0", 64, 10)
application("EfficientNetV2B0", 64, 16)
application("ConvNeXtTiny", 64, 1)


def precise(policy: str) -> Build:
    """A function that builds a small model with a dtype policy."""

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


@row("Names, batches and outputs", "names with spaces and other letters, a layer named training", 2)
def names() -> keras.Model:
    x = keras.Input((6,), name="my input")
    y = layers.Dropout(0.5, name="training")(layers.Dense(8, name="erste Schicht: ä")(x))
    return keras.Model(x, layers.Dense(2, name="the answer")(layers.Dropout(0.2, name="drop:1")(y)))


@row("Names, batches and outputs", "a batch size of 8 built in", 2)
def fixed_batch() -> keras.Model:
    x = keras.Input(batch_shape=(8, 5, 6))
    y = layers.Dropout(0.5)(layers.LSTM(4, dropout=0.2)(x))
    return keras.Model(x, layers.Dense(2)(y))


@row("Names, batches and outputs", "a Sequential without an Input, with an example", 1, EXAMPLE)
def without_input() -> keras.Model:
    return keras.Sequential([layers.Dense(8), layers.Dropout(0.5), layers.Dense(2)])


@row("Names, batches and outputs", "bool and integer outputs: a threshold, argmax", 1)
def discrete() -> keras.Model:
    x = keras.Input((6,))
    y = layers.Dense(4)(layers.Dropout(0.5)(layers.Dense(32)(x)))
    return keras.Model(x, {"y": y, "over": y > 0, "class": keras.ops.argmax(y, axis=-1)})


@row("Names, batches and outputs", "quantized to int8", 1)
def quantized() -> keras.Model:
    model = sequential((6,), layers.Dense(8), layers.Dropout(0.5), layers.Dense(2))
    for layer in (model.layers[0], model.layers[-1]):
        layer.quantize("int8")
    return model
