"""Export a Keras model to an artifact: trace, convert, lower, check, write."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnx_ir as ir
import tensorflow as tf
from numpy.typing import NDArray

from models.export import check, describe
from models.export.convert import to_onnx
from models.export.lower import lower, outputs_after_sites
from models.export.private_api import all_layers, input_structure
from models.export.source import fingerprint
from models.export.trace import discover, emit
from service.errors import ExportError
from service.manifest import METADATA_KEY, Manifest, Source, Task

Array = NDArray[Any]

#: Opsets whose dropout kernels exist on CPU and CUDA alike, and that tf2onnx writes.
OPSETS = (18,)
STAGES = ("Finding dropout", "Tracing", "Converting to ONNX", "Checking", "Writing")


def export_model(
    model: keras.Model,
    path: str | Path,
    *,
    task: Task,
    labels: Sequence[str] | None = None,
    example: Array | Mapping[str, Array] | None = None,
    passes: int = 100,
    opset: int = OPSETS[0],
    source: Source | None = None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> Manifest:
    """Export `model` to an ONNX file whose dropout is alive, and check the file.

    The model is left as it was: nothing of it is changed, and nothing is drawn
    from its random state.

    Args:
        model: a built Keras model with at least one dropout.
        path: of the file to write; its folder is made. Nothing is written, and
            an existing file is kept, unless every check passes.
        task: what the outputs mean. "classification" needs probabilities.
        labels: class names, one for each value of the output's last axis.
        example: real rows, (rows, …) or {input name: (rows, …)}. The checks use
            them, and the first row becomes the manifest's example. Without it
            the checks use standard normal numbers (0 and 1 for integers).
        passes: number of passes that a request runs when it names none.
        opset: of the file, one of `OPSETS`.
        source: where the model came from; by default its own fingerprint.
        on_stage: called with each of `STAGES` as it begins.

    Returns:
        The manifest that was written into the file.

    Raises:
        ExportError: the model cannot be exported, or the file failed a check.
    """
    _require_exportable(model, opset)
    before = fingerprint(model)
    signature = describe.tensor_signature(model)
    names = describe.output_names(model)
    call = _flat_call(model)

    on_stage(STAGES[0])
    stochastic = discover(call, signature).stochastic
    _require_every_dropout(model, stochastic)
    on_stage(STAGES[1])
    function, trace = emit(call, signature, stochastic)
    on_stage(STAGES[2])
    converted = to_onnx(function, signature, opset)
    lowered = lower(converted, trace.sites, [spec.name for spec in signature], names)

    on_stage(STAGES[3])
    rows = describe.check_rows(signature, example, check.ROWS)
    expected = [np.asarray(y) for y in call(False, *map(tf.constant, rows.values()))]
    if task == "classification":
        check.require_probabilities(expected)
    manifest = Manifest(
        task=task,
        inputs=describe.input_specs(signature, rows, with_example=example is not None),
        outputs=describe.output_specs(names, model, outputs_after_sites(lowered)),
        labels=describe.check_labels(labels, model),
        passes=passes,
        sites=tuple(trace.sites),
        tools=describe.tool_versions(),
        source=source or before,
    )
    with _draft(Path(path)) as draft:
        onnx.save(ir.to_proto(lowered), draft)
        checks = check.check_artifact(draft, manifest, rows, expected)
        if fingerprint(model) != before:
            raise ExportError("the export changed the Keras model. No file was written.")
        on_stage(STAGES[4])
        manifest = manifest.model_copy(update={"checks": checks})
        lowered.metadata_props[METADATA_KEY] = manifest.model_dump_json()
        onnx.save(ir.to_proto(lowered), draft)
    return manifest


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _flat_call(model: keras.Model) -> Callable[..., list[Any]]:
    """The model as a function of `training` and its flat list of tensors."""

    def call(training: bool, *tensors: Any) -> list[Any]:
        inputs = keras.tree.pack_sequence_as(input_structure(model), list(tensors))
        return list(keras.tree.flatten(model(inputs, training=training)))

    return call


def _require_exportable(model: Any, opset: int) -> None:
    if not isinstance(model, keras.Model):
        raise ExportError(f"{model!r} is not a Keras model.")
    if opset not in OPSETS:
        raise ExportError(f"opset {opset} is not supported; use one of {OPSETS}.")
    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        raise ExportError(
            f"model {model.name!r} ({type(model).__name__}) has no symbolic inputs. A Sequential "
            "model needs a keras.Input as its first layer, or one call on real data; a subclassed "
            "model has to be rebuilt as a Sequential or functional one."
        )


def _require_every_dropout(model: keras.Model, stochastic: set[int]) -> None:
    """Every dropout layer was met, and there is at least one."""
    dropouts = [layer for layer in all_layers(model) if getattr(layer, "rate", 0)]
    missed = [layer.name for layer in dropouts if id(layer) not in stochastic]
    if missed:
        raise ExportError(
            f"the dropout of {', '.join(missed)} draws no random numbers when the model runs "
            "with training=True, so it cannot be kept alive. Remove these layers, or see that "
            "the model calls them."
        )
    if not stochastic:
        raise ExportError(
            f"model {model.name!r} has no dropout, so every pass would give the same answer and "
            "the variance would be 0. Add keras.layers.Dropout(0.1) before the layers whose "
            "weights you are unsure of, train it, and export again."
        )
