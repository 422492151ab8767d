"""Text models equal Keras on unusual texts; what cannot be exact is refused."""

import re
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from models.export import export_model
from models.export.text import sample_texts
from models.export.text_nodes import replaced_by
from scripts.local_server import local_server
from service import load_model
from service.client import Client
from service.errors import ExportError
from tests.conftest import SIGMAS

WORDS = ["a", "b", "c", "its", "fox", "é", "漢字"]
TRICKY = [
    "a b c",
    "",
    "A, b! C?",
    "  its\tit's\nfox\r\n ",
    "É é \u212a \u0130 漢字 <br />a<br/>",
    "a\u00a0b\u2003c\x0bfox\x0cé.",
    "a a b zz",
    "...",
    " \t\n",
    "a\x00b\x1fc",
    "x" * 3000 + ",a" * 500,
    "[\\]^_`{|}~-'\"",
]
Layer = Any  # Keras ships no types


def _without_breaks(texts: Any) -> Any:
    """A part of Keras' guide to text classification."""
    return tf.strings.regex_replace(tf.strings.lower(texts), "<br />", " ")


def _lowered(texts: Any) -> Any:
    return tf.strings.lower(texts, encoding="utf-8")


def _without_numbers(texts: Any) -> Any:
    return tf.strings.regex_replace(texts, r"\d+", "9")


def of_texts(**options: Any) -> Layer:
    return layers.TextVectorization(vocabulary=WORDS, **options)


def of_words(**options: Any) -> Layer:
    return layers.StringLookup(vocabulary=WORDS, **options)


IDF = np.linspace(1.0, 3.0, len(WORDS))
VECTORIZATIONS: dict[str, Callable[[], Layer]] = {
    "int": lambda: of_texts(output_sequence_length=4),
    "lower": lambda: of_texts(output_sequence_length=4, standardize="lower"),
    "as_it_is": lambda: of_texts(output_sequence_length=4, standardize=None),
    "breaks": lambda: of_texts(output_sequence_length=4, standardize=_without_breaks),
    "unsplit": lambda: of_texts(output_sequence_length=2, split=None, standardize="lower"),
    "count": lambda: of_texts(
        output_mode="count", max_tokens=20, pad_to_max_tokens=True, standardize=None
    ),
    "tf_idf": lambda: of_texts(output_mode="tf_idf", idf_weights=IDF, standardize="lower"),
}
LOOKUPS: dict[str, Callable[[], Layer]] = {
    "int": of_words,
    "masked": lambda: of_words(mask_token=""),
    "one_hot": lambda: of_words(output_mode="one_hot"),
    "multi_hot": lambda: of_words(output_mode="multi_hot", mask_token=""),
    "count": lambda: of_words(output_mode="count"),
    "tf_idf": lambda: of_words(output_mode="tf_idf", idf_weights=IDF),
}


@pytest.mark.parametrize(("kinds", "width"), [(VECTORIZATIONS, 1), (LOOKUPS, 3)])
def test_text_layers_equal_keras(
    kinds: dict[str, Callable[[], Layer]], width: int, tmp_path: Path
) -> None:
    x, path = keras.Input((width,), dtype="string", name="text"), tmp_path / "model.onnx"
    numbers = {name: layers.Flatten()(ops.cast(of()(x), "float32")) for name, of in kinds.items()}
    head = layers.Dense(2)(layers.Dropout(0.4)(layers.Concatenate()(list(numbers.values()))))
    model = keras.Model(x, {**numbers, "head": head})
    export_model(model, path, task="other")
    served, rows = load_model(path), np.resize(np.array(TRICKY, object), (len(TRICKY), width))
    if width > 1:
        rows[:4] = [["a", "é", "zz"], ["", "b", "b"], ["A", "漢字", ""], ["fox", "a", "a"]]
    wanted = model(tf.constant(rows))
    for some in (slice(None), *(slice(i, i + 1) for i in range(len(rows)))):
        found = served.predict_deterministic(rows[some])
        for name in numbers:
            np.testing.assert_array_equal(found[name], wanted[name][some], err_msg=name)


def refused(layer: Layer, path: Path, width: int = 1) -> str:
    x = keras.Input((width,), dtype="string", name="text")
    y = layers.Dense(2)(layers.Dropout(0.4)(layers.Flatten()(ops.cast(layer(x), "float32"))))
    with pytest.raises(ExportError) as caught:
        export_model(keras.Model(x, y), path, task="other")
    assert not path.exists()
    return str(caught.value)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (lambda: of_words(num_oov_indices=0), "num_oov_indices=0, with which Keras raises"),
        (lambda: of_words(num_oov_indices=2), "num_oov_indices=2: .* by a hash without an ONNX op"),
        (lambda: of_texts(output_mode="multi_hot", split="character"), "splits texts into char"),
        (lambda: of_texts(output_mode="multi_hot", split=tf.strings.split), "by a function"),
        (lambda: of_texts(output_mode="multi_hot", ngrams=2), "makes n-grams"),
        (lambda: layers.Hashing(4), "cannot be converted to ONNX: StringToHashBucketFast"),
        (lambda: of_texts(output_mode="multi_hot", standardize=_lowered), "StringLower .*ASCII"),
        (
            lambda: of_texts(output_mode="multi_hot", standardize=_without_numbers),
            "StaticRegexReplace .*Single characters",
        ),
    ],
)
def test_layers_that_onnx_cannot_express_are_refused_by_name(
    layer: Callable[[], Layer], said: str, tmp_path: Path
) -> None:
    assert re.search(said, refused(layer(), tmp_path / "model.onnx"))


class Compared(layers.Layer):
    """A custom layer that compares strings and converts the result to numbers."""

    def __init__(self) -> None:
        super().__init__()
        words, numbers = ["A1", "3"], tf.constant([5, 7], tf.int64)
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(words, numbers), -2
        )

    def call(self, x: Any) -> Any:
        ones = tf.cast(tf.equal(x, "1"), tf.float32), tf.cast(tf.not_equal(x, "é"), tf.float32)
        raised = self.table.lookup(tf.strings.upper(x))
        written = self.table.lookup(tf.strings.as_string(tf.cast(ones[0], tf.int64) + 2))
        return tf.concat([*ones, tf.cast(raised, tf.float32), tf.cast(written, tf.float32)], -1)


def test_strings_are_compared_as_strings(tmp_path: Path) -> None:
    x, path = keras.Input((1,), dtype="string", name="text"), tmp_path / "model.onnx"
    y = Compared()(x)
    model = keras.Model(x, {"y": y, "head": layers.Dense(2)(layers.Dropout(0.4)(y))})
    # As numbers, all but the first equal 1.
    rows = np.array([["1"], ["01"], ["1.0"], ["+1"], ["é"], ["É"], ["a1"]], object)
    export_model(model, path, task="other", example=rows)
    found = load_model(path).predict_deterministic(rows)["y"]
    np.testing.assert_array_equal(found, model(tf.constant(rows))["y"])
    assert found[:, 0].tolist() == [1, 0, 0, 0, 0, 0, 0]


def test_model_that_raises_for_some_texts_is_refused(tmp_path: Path) -> None:
    x = keras.Input((1,), dtype="string", name="text")
    y = layers.Lambda(lambda x: tf.strings.to_number(x), output_shape=(1,))(x)
    model, example = keras.Model(x, layers.Dense(2)(layers.Dropout(0.4)(y))), np.array([["1"]])
    with pytest.raises(
        ExportError, match="Keras raises an error for some texts, and a graph cannot"
    ):
        export_model(model, tmp_path / "m.onnx", task="other", example=example)


def test_numbers_that_onnx_formats_differently_are_refused(tmp_path: Path) -> None:
    x = keras.Input((1,))
    y = layers.Lambda(lambda x: of_words().lookup_table.lookup(tf.strings.as_string(x)))(x)
    model = keras.Model(x, layers.Dense(2)(layers.Dropout(0.4)(ops.cast(y, "float32"))))
    with pytest.raises(ExportError, match=r"AsString .*Whole numbers can be made strings"):
        export_model(model, tmp_path / "m.onnx", task="other")


def test_padding_to_the_longest_row_is_refused(tmp_path: Path) -> None:
    x = keras.Input((1,), dtype="string")
    y = layers.GlobalAveragePooling1D()(layers.Embedding(9, 3)(of_texts(name="words")(x)))
    model = keras.Model(x, layers.Dense(2)(layers.Dropout(0.4)(y)))
    with pytest.raises(ExportError, match=r"layer 'words' .* Give it an output_sequence_length"):
        export_model(model, tmp_path / "model.onnx", task="other")


def test_integer_lookup_without_an_out_of_vocabulary_index_is_refused(tmp_path: Path) -> None:
    x = keras.Input((2,), dtype="int64")
    y = layers.Flatten()(
        layers.Embedding(4, 3)(layers.IntegerLookup(vocabulary=[4, 2], num_oov_indices=0)(x))
    )
    with pytest.raises(ExportError, match="num_oov_indices=0"):
        export_model(keras.Model(x, layers.Dropout(0.4)(y)), tmp_path / "m.onnx", task="other")


@pytest.mark.parametrize(
    ("pattern", "rewrite", "marks"),
    [
        (r'[!"#$%&()\*\+,-\./:;<=>?@\[\\\]^_`{|}~\']', "", set(string.punctuation)),
        ("<br />", " ", {"<br />"}),
        (r"\.", "", {"."}),
        ("[a-c]", "", {"a", "b", "c"}),
        ("[éa]", "e", {"é", "a"}),
        ("[а-я]", "", set()),
        ("a+", "", set()),
        ("[^a]", "", set()),
        (r"[\w]", "", set()),
        ("[[:punct:]]", "", set()),
        ("[ab]", "b", set()),
        ("(a)", r"\1", set()),
        ("^a", "", set()),
        ("[ab]+", "", set()),
    ],
)
def test_pattern_is_reduced_to_texts_or_not_at_all(
    pattern: str, rewrite: str, marks: set[str]
) -> None:
    assert set(replaced_by(pattern, rewrite)[0]) == marks


def test_numeric_example_is_refused_for_strings(tmp_path: Path) -> None:
    x = keras.Input((1,), dtype="string", name="text")
    y = layers.Dropout(0.4)(layers.Flatten()(layers.Embedding(9, 3)(of_words()(x))))
    with pytest.raises(ExportError, match="for input 'text' has elements of type float64; the mod"):
        export_model(keras.Model(x, y), tmp_path / "m.onnx", task="other", example=np.ones((2, 1)))


class Tagger(keras.Model):
    """A model whose inputs are known from its calls only."""

    def __init__(self) -> None:
        super().__init__()
        self.tags, self.drop = of_words(output_mode="multi_hot"), layers.Dropout(0.4)
        self.head = layers.Dense(2)

    def call(self, x: Any, training: bool | None = None) -> Any:
        return self.head(self.drop(ops.cast(self.tags(x), "float32"), training=training))


@pytest.mark.parametrize("kind", [str, bytes, object])
def test_subclassed_model_takes_strings_where_its_example_has_them(
    kind: type, tmp_path: Path
) -> None:
    example: Any = np.array([["a", "fox"], ["b", "zz"]], kind)
    model, path = Tagger(), tmp_path / "model.onnx"
    model(tf.constant(example))
    manifest = export_model(model, path, task="other", example=example)
    assert (manifest.inputs[0].dtype, manifest.inputs[0].example) == ("string", ["a", "fox"])


def test_outputs_of_strings_are_refused(tmp_path: Path) -> None:
    x = keras.Input((1,), dtype="string")
    head = layers.Dense(2)(layers.Dropout(0.4)(layers.Embedding(9, 3)(of_words()(x))))
    with pytest.raises(ExportError, match="an output does not consist of numbers"):
        export_model(keras.Model(x, [head, x]), tmp_path / "m.onnx", task="other")


GOOD = ["a great film", "Great acting, and a great story!", "I loved it", "loved the music"]
BAD = ["a dull film", "Boring; boring.", "I hated it", "dull acting and a bad story"]


@pytest.fixture(scope="module")
def critic() -> keras.Model:
    """A classifier of reviews, trained briefly."""
    keras.utils.set_random_seed(1)
    vectorize = layers.TextVectorization(output_sequence_length=8)
    vectorize.adapt([*GOOD, *BAD])
    model = keras.Sequential(
        [
            keras.Input((1,), dtype="string", name="review"),
            vectorize,
            layers.Embedding(len(vectorize.get_vocabulary()), 8),
            layers.GlobalAveragePooling1D(),
            layers.Dropout(0.3),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    x = tf.constant([[text] for text in [*GOOD, *BAD]])
    model.fit(x, np.repeat([1, 0], 4), epochs=15, verbose=0)
    return model


def test_classifier_has_the_uncertainty_of_keras(critic: keras.Model, tmp_path: Path) -> None:
    path, passes = tmp_path / "critic" / "1" / "model.onnx", 2000
    rows = [["A great, GREAT film!"], ["nobody knows"]]
    export_model(critic, path, task="classification", labels=["bad", "good"])
    with local_server(tmp_path) as server, Client(server.url) as client:
        found = client.predict("critic", rows, passes=passes, seed=5)
    for index, row in enumerate(rows):
        keras_passes = critic(tf.constant([row] * passes), training=True).numpy().astype(np.float64)
        spread = np.sqrt((keras_passes.var(axis=0) + found.variance[index]) / passes)
        assert (abs(keras_passes.mean(axis=0) - found.mean[index]) <= SIGMAS * spread + 1e-9).all()
        centered = keras_passes - keras_passes.mean(axis=0)
        variance = (centered**2).mean(axis=0)
        error = np.sqrt(2 * ((centered**4).mean(axis=0) - variance**2) / passes)
        assert (abs(variance - found.variance[index]) <= SIGMAS * error + 1e-9).all()
        assert (found.variance[index] > 1e-5).all()


def test_fingerprint_changes_with_the_vocabulary(critic: keras.Model) -> None:
    from models.export.source import fingerprint

    before = fingerprint(critic)
    layer = critic.layers[0]
    words = layer.get_vocabulary()
    layer.set_vocabulary([*words[:-1], "other"])
    assert fingerprint(critic) != before
    layer.set_vocabulary(words)
    assert fingerprint(critic) == before


def test_check_texts_have_known_and_unknown_words(critic: keras.Model) -> None:
    texts = sample_texts(critic.layers)
    assert len(texts[0].split()) == 4
    assert set(texts[0].split()) <= set(critic.layers[0].get_vocabulary())
    assert "" in texts
    assert any(not text.isascii() for text in texts)
