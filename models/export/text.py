"""Layers that read text: their markers in a trace, and which of them ONNX cannot express.

TensorFlow's lookup tables and ragged tensors have no counterpart in ONNX. In a graph, a marker
op therefore describes what is done with the text, and `text_nodes` converts it to ONNX nodes.
Outside of a graph Keras' own code runs, so that the export is compared with Keras itself.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.export.private_api import lookup_of, mask_number, unsplit_texts
from service.errors import ExportError

Tensor = Any  # tf.Tensor; TensorFlow ships no types

#: The op that marks an operation on text. Its attribute for the name of a Python function
#: describes the operation; no Python function is ever run.
MARKER_OP, _PREFIX = "PyFunc", "mcdropout:"

EMPTY: Mapping[str, int] = MappingProxyType({})
_LOOKUPS = (keras.layers.StringLookup, keras.layers.IntegerLookup)
_BEFORE = "Do it before the model, and export the part behind it."


def marked(token: bytes | str) -> dict[str, Any] | None:
    """The operation that a marker op describes; None if the op is no marker."""
    text = token.decode() if isinstance(token, bytes) else token
    found: dict[str, Any] | None = (
        json.loads(text.removeprefix(_PREFIX)) if text.startswith(_PREFIX) else None
    )
    return found


def _marker(x: Tensor, dtype: tf.DType, shape: Sequence[int | None], **said: Any) -> Tensor:
    """Mark an operation on `x` whose result has a dtype and shape."""
    token = _PREFIX + json.dumps(said)
    (y,) = tf.raw_ops.PyFunc(input=[x], token=token, Tout=[dtype])
    return tf.ensure_shape(y, shape)


def look_up(table: Any, keys: Tensor, known: Mapping[str, int] = EMPTY) -> Tensor:
    """The number of each of (…) strings.

    Args:
        table: of strings to numbers.
        keys: the strings.
        known: numbers of some strings, which override the table.
    """
    with tf.init_scope():
        words, values = (part.numpy().tolist() for part in table.export())
        default = int(table.default_value)
    numbers = {word.decode(): number for word, number in zip(words, values, strict=True)}
    said = {"numbers": {**numbers, **known}, "default": default}
    found = _marker(keys, tf.int64, keys.shape, do="look_up", **said)
    return tf.cast(found, table.value_dtype)


def looking_up(lookup: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A StringLookup's `_lookup_dense` without the string comparison for its mask."""

    def look(layer: Any, inputs: Tensor) -> Tensor:
        if tf.executing_eagerly():
            return lookup(layer, inputs)
        mask = layer.mask_token
        known = EMPTY if mask is None else {str(mask): mask_number(layer)}
        return look_up(layer.lookup_table, inputs, known)

    return look


def split(texts: Tensor) -> Tensor:
    """The (B, D) words of (B,) texts, split at whitespace and filled with ""."""
    return _marker(texts, tf.string, [texts.shape[0], None], do="split")


def vectorizing(call: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A TextVectorization's `call` without ragged tensors."""

    def vectorize(layer: Any, inputs: Tensor) -> Tensor:
        if tf.executing_eagerly():
            return call(layer, inputs)
        config = layer.get_config()
        # Keras would split the texts into ragged tensors.
        words = unsplit_texts(layer, tf.convert_to_tensor(inputs))
        if config["split"] is not None:
            words = split(tf.reshape(words, [-1]))
        found = lookup_of(layer).call(words)
        length = config["output_sequence_length"]
        if config["output_mode"] != "int" or length is None:
            return found
        # After the last word comes "", which Keras looks up as 0, the number that it pads with.
        padded = tf.pad(found, [[0, 0], [0, length]])[:, :length]
        return tf.reshape(padded, [tf.shape(inputs)[0], length])

    return vectorize


def of_known_depth(call: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A lookup's `call` that states the length of a row, which the graph would compute."""

    def encode(layer: Any, inputs: Tensor) -> Tensor:
        y = call(layer, inputs)
        if tf.executing_eagerly() or layer.output_mode == "int" or layer.sparse:
            return y
        depth = layer.compute_output_shape(tuple(inputs.shape))[-1]
        return tf.reshape(y, tf.concat([tf.shape(y)[:-1], [depth]], 0))

    return encode


def require_expressible(layers: Sequence[Any]) -> None:
    """Check the layers that look up or split text.

    Raises:
        ExportError: ONNX cannot express a layer; the error names the first, and the remedy.
    """
    for layer in layers:
        for reason in _reasons(layer):
            raise ExportError(f"layer {layer.name!r} ({type(layer).__name__}) {reason}")


def _reasons(layer: Any) -> Iterator[str]:
    """Reasons for which a layer cannot be expressed."""
    if isinstance(layer, keras.layers.TextVectorization):
        yield from _reasons_of_text(layer.get_config())
    if not isinstance(layer, _LOOKUPS):
        return
    strings = isinstance(layer, keras.layers.StringLookup)
    if layer.num_oov_indices == 0:
        yield (
            "has num_oov_indices=0, with which Keras raises an error for words outside the "
            "vocabulary; a graph cannot do so, and would give a wrong number. Build it with "
            "num_oov_indices=1."
        )
    if strings and layer.num_oov_indices > 1:
        yield (
            f"has num_oov_indices={layer.num_oov_indices}: words outside the vocabulary are "
            f"distributed over them by a hash without an ONNX operator. Build it with "
            f"num_oov_indices=1."
        )
    if strings and layer.invert:
        yield f"converts numbers to strings, which have no mean. {_BEFORE}"
    if layer.sparse:
        yield "gives sparse tensors, which ONNX Runtime does not have. Build it with sparse=False."


def _reasons_of_text(config: dict[str, Any]) -> Iterator[str]:
    if config["split"] not in (None, "whitespace"):
        how = "by a function" if config["split"] != "character" else "into characters"
        yield (
            f"splits texts {how}, for which ONNX has no operator: it splits at whitespace. Split "
            "before the model, and look the parts up with split=None."
        )
    if config["ngrams"] is not None:
        yield f"makes n-grams, which are not supported. {_BEFORE}"
    if config["ragged"]:
        yield "gives ragged tensors, which ONNX does not have. Give it an output_sequence_length."
    whole = config["output_mode"] == "int" and config["split"] is not None
    if whole and config["output_sequence_length"] is None:
        yield (
            "pads rows to the longest row of a batch, so that a row's answer would depend on the "
            "other rows. Give it an output_sequence_length."
        )


def vocabulary(layers: Sequence[Any]) -> list[str]:
    """Words that the layers know, in the order of the layers and their vocabularies."""
    found: dict[str, None] = {}
    for layer in layers:
        if isinstance(layer, keras.layers.TextVectorization | keras.layers.StringLookup):
            found |= dict.fromkeys(map(str, layer.get_vocabulary(include_special_tokens=False)))
    return list(found)


def takes_sentences(layers: Sequence[Any]) -> bool:
    """Whether a layer splits texts into words."""
    return any(
        isinstance(layer, keras.layers.TextVectorization) and layer.get_config()["split"]
        for layer in layers
    )


def sample_texts(layers: Sequence[Any]) -> list[str]:
    """Texts of known and unknown words, for the checks; the first is an ordinary one.

    They have upper case inside and outside of ASCII, all kinds of whitespace, punctuation and
    other scripts; one is empty. These are the cases in which conversions of text go wrong.
    """
    words = [*vocabulary(layers), *("zebra", "Übung", "naïve", "кот")][: max(6, len(_SHAPES))]
    first = " ".join(words[:4]) if takes_sentences(layers) else words[0]
    shaped = [shape.format(*np.roll(words, -i)[:4]) for i, shape in enumerate(_SHAPES)]
    return [first, *shaped]


_SHAPES = (
    "{0}",
    "",
    "  {0}\t{1}\n{2}\r\n{3} ",
    "{0}, {1}! ({2}-{3})'s",
    "no such word ÀÉÎ \u212a \u0130 \u1e9e 漢字 \U0001f600",
    "{0}\u00a0{1}\u2003{2}\x0b{3}\x0c.",
    "{0} {0} {1} {1} {2} {3} {0}",
)
