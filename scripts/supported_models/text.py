"""Models that take strings."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from scripts.supported_models.registry import row

WORDS = ["film", "great", "dull", "music", "acting", "naïve"]


def _vectorized(vectorize: Any, *behind: Any) -> keras.Model:
    x = keras.Input((1,), dtype="string", name="text")
    return keras.Sequential([x, vectorize, *behind, layers.Dropout(0.3), layers.Dense(2)])


@row("Text", "TextVectorization as it is by default, an Embedding, a GRU", 1)
def texts() -> keras.Model:
    vectorize = layers.TextVectorization(vocabulary=WORDS, output_sequence_length=6)
    return _vectorized(vectorize, layers.Embedding(8, 4, mask_zero=True), layers.GRU(5))


@row("Text", "TextVectorization by tf_idf, with a function that standardizes", 1)
def weighed_texts() -> keras.Model:
    def plain(x: Any) -> Any:
        return tf.strings.regex_replace(tf.strings.lower(x), "<br />", " ")

    weights = [1.0, 1.5, 2.0, 2.5, 3.0, 3.5]
    vectorize = layers.TextVectorization(
        vocabulary=WORDS, output_mode="tf_idf", idf_weights=weights, standardize=plain
    )
    return _vectorized(vectorize)


@row("Text", "StringLookup into an Embedding, and multi_hot, beside an input of numbers", 1)
def words() -> keras.Model:
    genre = keras.Input((1,), dtype="string", name="genre")
    tags = keras.Input((3,), dtype="string", name="tags")
    length = keras.Input((1,), name="length")
    place = layers.Embedding(8, 3)(layers.StringLookup(vocabulary=WORDS, mask_token="")(genre))
    many = layers.StringLookup(vocabulary=WORDS, output_mode="multi_hot")(tags)
    joined = layers.Concatenate()([layers.Flatten()(place), many, length])
    head = layers.Dense(1)(layers.Dropout(0.3)(layers.Dense(8, "relu")(joined)))
    return keras.Model([genre, tags, length], head)
