"""Dense and convolutional networks, mask shapes, graphs of layers, normalization."""

from typing import Any

import keras
from keras import layers

from scripts.supported_models.registry import row, sequential


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


@row("Graphs", "Discretization and IntegerLookup inside the model, before an Embedding", 1)
def preprocessing() -> keras.Model:
    age, city = keras.Input((1,), name="age"), keras.Input((1,), name="city", dtype="int64")
    bucket = layers.Discretization([18.0, 65.0], output_mode="one_hot")(age)
    place = layers.Embedding(4, 3)(layers.IntegerLookup(vocabulary=[1, 20, 300])(city))
    joined = layers.Concatenate()([bucket, layers.Flatten()(place)])
    return keras.Model([age, city], layers.Dense(1)(layers.Dropout(0.3)(layers.Dense(8)(joined))))


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


@row("Graphs", "Resizing to other proportions, antialiased; bicubic UpSampling2D", 1)
def resized() -> keras.Model:
    return sequential(
        (11, 17, 3),
        layers.Rescaling(1 / 255),
        layers.Resizing(9, 8, antialias=True),
        layers.Conv2D(4, 3),
        layers.SpatialDropout2D(0.3),
        layers.UpSampling2D(2, interpolation="bicubic"),
        layers.Resizing(16, 9, crop_to_aspect_ratio=True),
        layers.Flatten(),
        layers.Dense(2),
    )


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


@row("Normalization", "BatchNormalization before and after", 1)
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


@row("Normalization", "LayerNormalization, GroupNormalization, UnitNormalization", 1)
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


@row("Normalization", "SpectralNormalization", 1)
def spectral_norm() -> keras.Model:
    return sequential(
        (6,), layers.SpectralNormalization(layers.Dense(8)), layers.Dropout(0.4), layers.Dense(2)
    )


@row("Normalization", "random augmentation layers, which stay off", 1)
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
