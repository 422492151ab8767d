"""The contents of the manifest, and the rows on which the export is checked."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.export.private_api import installed_version
from models.export.trace import Emitted
from service.annotations import Annotations, annotated
from service.core.measures import measures_of
from service.errors import ArtifactError, ExportError
from service.facts import facts_of
from service.manifest import InputSpec, Manifest, OutputSpec, Task

Array = NDArray[Any]

#: Maximum elements of an example row in the manifest; a larger one would only enlarge the file.
_MAX_EXAMPLE_VALUES = 1024
#: Size of a dynamic axis in the checks, by rank of the input: a sequence, an image, a volume.
_DYNAMIC_SIZES = {3: 16, 4: 64, 5: 16}
#: Measures of a request that names none. All are made of mean and variance, which takes no time.
_DEFAULT_MEASURES: Mapping[Task, tuple[str, ...]] = {
    "classification": ("predicted_class", "label", "confidence", "predictive_entropy"),
    "regression": ("std",),
}


def check_rows(
    signature: list[tf.TensorSpec],
    example: Array | Mapping[str, Array] | None,
    rows: int,
    texts: Sequence[str],
) -> dict[str, Array]:
    """Input name to a (rows, …) array for the checks: the example's rows repeated, or noise.

    For strings, at most half of the rows are the example's; the others are `texts`.

    Raises:
        ExportError: the example does not fit the inputs.
    """
    if example is None:
        rng = np.random.default_rng(0)
        return {
            spec.name: _rows_of_texts(spec, rows, texts)
            if spec.dtype == tf.string
            else _random_rows(spec, rows, rng)
            for spec in signature
        }
    if not isinstance(example, Mapping):
        example = {signature[0].name: example}
    if set(example) != {spec.name for spec in signature}:
        raise ExportError(
            f"the example names inputs {sorted(example)}, and the model has "
            f"{sorted(spec.name for spec in signature)}."
        )
    found = {spec.name: _example_rows(spec, example[spec.name], rows) for spec in signature}
    for spec in (spec for spec in signature if spec.dtype == tf.string):
        found[spec.name][rows // 2 :] = _rows_of_texts(spec, rows, texts)[: rows - rows // 2]
    return found


def _rows_of_texts(spec: tf.TensorSpec, rows: int, texts: Sequence[str]) -> Array:
    shape = (rows, *(size or 2 for size in spec.shape[1:]))
    return np.resize(np.array(texts, object), shape)


def _example_rows(spec: tf.TensorSpec, example: Any, rows: int) -> Array:
    array = _of_strings(spec, example) if spec.dtype == tf.string else np.asarray(example)
    array = array.astype(spec.dtype.as_numpy_dtype)
    if not len(array) or not spec.shape.is_compatible_with(array.shape):
        raise ExportError(
            f"the example for input {spec.name!r} has shape {array.shape}; the model takes "
            f"(rows, {', '.join(map(str, spec.shape[1:]))})."
        )
    return np.resize(array, (rows, *array.shape[1:]))


def _of_strings(spec: tf.TensorSpec, example: Any) -> Array:
    array = np.asarray(example)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if not all(isinstance(text, str) for text in array.flat):
        raise ExportError(
            f"the example for input {spec.name!r} has elements of type {array.dtype}; the model "
            "takes strings."
        )
    return array


def _random_rows(spec: tf.TensorSpec, rows: int, rng: np.random.Generator) -> Array:
    rank = len(spec.shape)
    shape = [rows, *(size or _DYNAMIC_SIZES.get(rank, 8) for size in spec.shape[1:])]
    dtype = spec.dtype.as_numpy_dtype
    if np.issubdtype(dtype, np.floating):
        return rng.standard_normal(shape).astype(dtype)
    # 0 and 1 are valid indices in every vocabulary and set of classes.
    return rng.integers(0, 2, shape).astype(dtype)


def input_specs(
    signature: list[tf.TensorSpec], rows: Mapping[str, Array], with_example: bool
) -> tuple[InputSpec, ...]:
    """The inputs; each has the first row as its example if that is small enough."""
    return tuple(
        InputSpec(
            name=spec.name,
            dtype=spec.dtype.name,
            shape=tuple(spec.shape.as_list()),
            example=rows[spec.name][0].tolist()
            # An example is the only description of the strings that a model takes.
            if (with_example or spec.dtype == tf.string)
            and rows[spec.name][0].size <= _MAX_EXAMPLE_VALUES
            else None,
        )
        for spec in signature
    )


def output_specs(
    names: list[str], tensors: list[Any], stochastic: set[str]
) -> tuple[OutputSpec, ...]:
    """The outputs; `stochastic` is true for those that depend on a draw."""
    return tuple(
        OutputSpec(
            name=name,
            dtype=np.dtype(tensor.dtype.as_numpy_dtype).name,
            shape=(None, *tensor.shape.as_list()[1:]),
            stochastic=name in stochastic,
        )
        for name, tensor in zip(names, tensors, strict=True)
    )


def with_annotations(manifest: Manifest, said: Annotations) -> Manifest:
    """The manifest with what was said of the model, and the default measures of its task.

    Raises:
        ExportError: it does not fit the outputs.
    """
    try:
        changed = annotated(manifest, said, "the model")
    except ArtifactError as error:
        raise ExportError(str(error)) from error
    if "measures" in said.given:
        return changed
    offered = measures_of(facts_of(changed))
    wanted = _DEFAULT_MEASURES.get(changed.task, ())
    return changed.model_copy(update={"measures": tuple(n for n in wanted if n in offered)})


def notes(manifest: Manifest) -> Iterator[str]:
    """Notes for the log: properties of the exported model that the user should know."""
    if manifest.kept_off:
        yield (
            f"{', '.join(manifest.kept_off)} stay off, as in Keras' model(x, training=True): the "
            "model's own code calls them with training=False, at least once, or no output depends "
            "on them."
        )
    for site in (site for site in manifest.sites if site.trained_rate):
        yield (
            f"{site.name} has a dropout rate that is computed from variables: the exported model "
            f"uses {site.rate:g}, its current value."
        )
    for group in manifest.same_seed:
        yield (
            f"Keras draws {' and '.join(group)} with the same seed, and so "
            f"{'alike' if len(group) > 1 else 'the same in every call'}. The exported model draws "
            f"them independently of each other and anew in each pass, as Monte Carlo dropout "
            f"requires."
        )
    if manifest.checks and manifest.checks.nan_rows:
        yield (
            f"{manifest.checks.nan_rows} of the {manifest.checks.rows} rows that the checks used "
            "are NaN in Keras, and in the exported model alike, for example the mean of a row that "
            "is only padding. Give an example of real rows to check more."
        )


def same_seeds(traced: Emitted) -> tuple[tuple[str, ...], ...]:
    """Groups of sites that Keras draws alike; a group of one draws alike in every call."""
    active = {site.name for site in traced.sites.values()}
    groups = [
        (number, tuple(name for name in names if name in active))
        for (_, number), names in traced.seeds.items()
    ]
    return tuple(group for number, group in groups if len(group) > (number > 0))


def tool_versions() -> dict[str, str]:
    """Version of each tool that takes part in an export."""
    fragile = {name: installed_version(name) for name in ("tensorflow", "keras", "tf2onnx")}
    return fragile | {name: version(name) for name in ("onnx", "onnxruntime", "mcdropout")}
