"""The networks of the benchmark, each also as trunk and tail without dropout.

The trunk is the part that no dropout precedes, and the tail is the rest. Both share the
weights of the network, and are built without the exporter and the server's plan.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from scripts.benchmark.ways import rows

layers = keras.layers

TOKENS, WIDTH, HEADS, KEY = 32, 64, 4, 16  # of `transformer`
STEPS, FEATURES = 20, 16  # of `lstm`


@dataclass(frozen=True)
class Network:
    """A network with random weights.

    Attributes:
        name: as in the results.
        shape: of a row.
        model: (B, *shape) to (B, K), with its dropout.
        trunk: (B, *shape) to the tensors that the tail takes; None: the tail takes the rows.
        tail: B·P rows of those tensors to (B·P, K), without dropout.
    """

    name: str
    shape: tuple[int, ...]
    model: keras.Model
    trunk: keras.Model | None
    tail: keras.Model

    def largest_tensor(self) -> int:
        """Elements for one row of the largest tensor between two layers."""
        return _largest_tensor(self.model)


def _largest_tensor(model: keras.Model) -> int:
    return max(
        _largest_tensor(layer)
        if isinstance(layer, keras.Model)
        else math.prod(size for size in layer.output.shape if size)
        for layer in model.layers
    )


def _chain(
    name: str, shape: tuple[int, ...], before: Sequence[Any], rest: Sequence[Any]
) -> Network:
    """A network of one layer after another; `rest` begins with the first dropout."""
    model = keras.Sequential([keras.Input(shape), *before, *rest])
    trunk = keras.Sequential([keras.Input(shape), *before]) if before else None
    frontier = trunk.output_shape[1:] if trunk else shape
    kept = [layer for layer in rest if not isinstance(layer, layers.Dropout)]
    return Network(name, shape, model, trunk, keras.Sequential([keras.Input(frontier), *kept]))


def dense() -> Network:
    """784-512-256-128-10: nearly half of its work lies before the first dropout."""
    rest = [layers.Dropout(0.5), layers.Dense(256, "relu"), layers.Dropout(0.5)]
    rest += [layers.Dense(128, "relu"), layers.Dropout(0.3), layers.Dense(10, "softmax")]
    return _chain("dense", (784,), [layers.Dense(512, "relu")], rest)


def cnn() -> Network:
    """Two convolutions, which are the trunk, then two dense layers."""
    before = [layers.Conv2D(32, 3, activation="relu"), layers.Conv2D(64, 3, activation="relu")]
    rest = [layers.Dropout(0.25), layers.Flatten(), layers.Dense(128, "relu")]
    rest += [layers.Dropout(0.5), layers.Dense(10, "softmax")]
    return _chain("cnn", (28, 28, 1), [*before, layers.MaxPooling2D()], rest)


def mobilenet(size: int = 96) -> Network:
    """MobileNetV2 with dropout in its head alone: the trunk is nearly everything.

    Args:
        size: height and width of the picture, in pixels.
    """
    shape = (size, size, 3)
    base = keras.applications.MobileNetV2(shape, include_top=False, weights=None, pooling="avg")
    _settle(base)
    # Frozen, as in transfer learning: so its normalizations stay in inference mode also
    # under `model(x, training=True)`. A `training=False` in its call would be overridden.
    base.trainable = False
    rest = [layers.Dropout(0.2), layers.Dense(10, "softmax")]
    return _chain("mobilenet", shape, [base], rest)


def _settle(base: keras.Model) -> None:
    """Give the normalizations the statistics of random images.

    With those that they begin with, random weights let the signal die out on its way.
    """
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0  # the statistics become those of the next batch
    base(rows(base.input_shape[1:], 8), training=True)


def lstm() -> Network:
    """A mask on the input of every step: no trunk at all."""
    rest = [layers.LSTM(64, dropout=0.2), layers.Dropout(0.5), layers.Dense(1)]
    return _chain("lstm", (STEPS, FEATURES), [], rest)


def _attention() -> Any:
    return layers.MultiHeadAttention(HEADS, KEY, dropout=0.1)


@dataclass(frozen=True)
class _Block:
    """The layers of a transformer block after its attention, which normalizes last."""

    norm: Any
    wide: Any
    narrow: Any
    last_norm: Any

    @classmethod
    def make(cls) -> "_Block":
        """With weights of its own."""
        wide, narrow = layers.Dense(2 * WIDTH, "relu"), layers.Dense(WIDTH)
        return cls(layers.LayerNormalization(), wide, narrow, layers.LayerNormalization())

    def __call__(self, x: Any, attended: Any, rate: float) -> Any:
        """(B, TOKENS, WIDTH) twice, to the same shape."""
        drop = layers.Dropout if rate else lambda _: layers.Identity()
        x = self.norm(layers.Add()([x, drop(rate)(attended)]))
        fed = drop(rate)(self.narrow(self.wide(x)))
        return self.last_norm(layers.Add()([x, fed]))


def transformer() -> Network:
    """Two blocks with dropout on the attention and after each half.

    The first dropout is on the attention's weights, so the trunk gives these and
    the values that they weigh, beside the tokens themselves.
    """
    shape = (TOKENS, WIDTH)
    first, second = _attention(), _attention()
    blocks = [_Block.make(), _Block.make()]
    pool, head = layers.GlobalAveragePooling1D(), layers.Dense(10, "softmax")

    x = keras.Input(shape)
    hidden = blocks[0](x, first(x, x), 0.1)
    hidden = blocks[1](hidden, second(hidden, hidden), 0.1)
    model = keras.Model(x, head(pool(hidden)))

    trunk, merge = _halves_of_attention(first, shape)
    frontier = [keras.Input(value.shape[1:]) for value in trunk.outputs]
    tokens, weights, values = frontier
    hidden = blocks[0](tokens, merge(weights, values), 0)
    hidden = blocks[1](hidden, second(hidden, hidden), 0)
    return Network("transformer", shape, model, trunk, keras.Model(frontier, head(pool(hidden))))


def _halves_of_attention(
    attention: Any, shape: tuple[int, ...]
) -> tuple[keras.Model, Callable[[Any, Any], Any]]:
    """An attention layer of the same weights, cut where its dropout is.

    Returns:
        (B, T, W) tokens to tokens, weights (B, H, T, T) and values (B, T, H, D); and
        the function of weights and values to the attention's output (B, T, W).
    """
    size = (None, HEADS, KEY)
    query, key, value = (layers.EinsumDense("btw,whd->bthd", size, bias_axes="hd") for _ in "qkv")
    out = layers.EinsumDense("bthd,hdw->btw", (None, WIDTH), bias_axes="w")
    tokens = keras.Input(shape)
    scores = keras.ops.einsum("bthd,bshd->bhts", query(tokens) * KEY**-0.5, key(tokens))
    trunk = keras.Model(tokens, [tokens, layers.Softmax()(scores), value(tokens)])

    def merge(weights: Any, values: Any) -> Any:
        return out(keras.ops.einsum("bhts,bshd->bthd", weights, values))

    out.build((None, TOKENS, HEADS, KEY))
    arrays = attention.get_weights()  # kernel and bias of query, key, value, output
    for index, layer in enumerate((query, key, value, out)):
        layer.set_weights(arrays[2 * index : 2 * index + 2])
    return trunk, merge


NETWORKS: dict[str, Callable[..., Network]] = {
    build.__name__: build for build in (dense, cnn, mobilenet, transformer, lstm)
}


def build_network(name: str) -> Network:
    """The network `name` of `NETWORKS`, always with the same weights."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    return NETWORKS[name]()
