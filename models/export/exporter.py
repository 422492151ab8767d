"""Export a Keras model to an artifact: trace, convert, lower, check, write."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnx_ir as ir
import tensorflow as tf
from numpy.typing import NDArray
from pydantic import ValidationError

from models.export import check, describe, text
from models.export.convert import to_onnx
from models.export.exportable import (
    OPSETS,
    require_any_batch,
    require_every_dropout,
    require_exportable,
)
from models.export.hidden import require_no_hidden_draws
from models.export.interface import Interface
from models.export.lower import lower, outputs_after_sites
from models.export.places import with_places
from models.export.private_api import accepts_training, all_layers
from models.export.reference import reference
from models.export.source import fingerprint, float32_instead_of_bfloat16
from models.export.trace import Draws, discover, emit, flag_signature, inference, still_training
from service import load_model
from service.annotations import Annotations, faulty_field
from service.core.tolerances import LEAST, LEAST_OF_HALF
from service.draft import draft_of
from service.errors import ExportError, MCDropoutError
from service.manifest import METADATA_KEY, Link, Manifest, NoiseSpec, Source, Task
from service.nodes.task import detect_task

Array = NDArray[Any]

#: Number of rows for the checks that call the model many times, which large networks make slow.
_FEW = 2
STAGES = ("Finding dropout", "Tracing", "Converting to ONNX", "Checking", "Writing")

log = logging.getLogger("mcdropout")


def export_model(
    model: keras.Model,
    path: str | Path,
    *,
    task: Task | None = None,
    labels: Sequence[str] | None = None,
    link: Link | Mapping[str, Link] = "identity",
    noise: NoiseSpec | Mapping[str, str] | None = None,
    noise_precision: float | None = None,
    measures: Sequence[str] | None = None,
    example: Array | Mapping[str, Array] | None = None,
    passes: int = 100,
    opset: int = OPSETS[0],
    source: Source | None = None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> Manifest:
    """Export `model` to an ONNX file with active dropout, and verify the file.

    The model and its random state are not changed.

    Args:
        model: a built Keras model with at least one dropout.
        path: of the file to write; its folder is created. If a check fails, nothing is
            written and an existing file is kept.
        task: what the outputs mean. The classifications need probabilities, or a link. None: a
            classification if the outputs end in a softmax or sigmoid, else "other".
        labels: class names, one for each value of the output's last axis. A single sigmoid
            takes two: those of its being 0, and 1.
        link: what makes probabilities of the outputs, by name if they differ: "softmax" or
            "sigmoid" of logits. The file gives logits still; a server applies it in every pass.
        noise: of a heteroscedastic regression: the outputs with `mean` and `noise`, and its `form`.
        noise_precision: inverse variance of the noise of a regression's targets (Gal's τ).
        measures: of a request that names none, such as "quantiles:0.05:0.95". By default those
            of the task that take no time, such as "confidence"; () for none.
        example: real rows, (rows, …) or {input name: (rows, …)}. The checks use up to 8 of them,
            and the first becomes the manifest's example. Without it the checks use standard normal
            numbers (0 and 1 for integers), and for strings words in and outside of the vocabulary.
        passes: default number of passes of a request.
        opset: of the file, one of `OPSETS`.
        source: where the model came from; by default its own fingerprint.
        on_stage: called with each of `STAGES` as it begins.

    Returns:
        The manifest that was written into the file.

    Raises:
        ExportError: the model cannot be exported, or the file failed a check.
    """
    said = _annotations(
        labels=labels,
        link=link,
        noise=noise,
        noise_precision=noise_precision,
        passes=passes,
        **{} if task is None else {"task": task},
        **{} if measures is None else {"measures": measures},
    )
    require_exportable(model, opset)
    with float32_instead_of_bfloat16(model):
        return _begun(model, Path(path), example, opset, on_stage).export(said, source)


def _annotations(**given: Any) -> Annotations:
    try:
        return Annotations(**given)
    except ValidationError as error:
        raise ExportError(f"the arguments: {faulty_field(error)}") from error


def _begun(
    model: keras.Model,
    path: Path,
    example: Array | Mapping[str, Array] | None,
    opset: int,
    on_stage: Callable[[str], None],
) -> "_Attempt":
    """An attempt with the draws that were found, and rows for the checks."""
    interface = Interface(model, example)
    before = fingerprint(model)
    on_stage(STAGES[0])
    draws = discover(interface, interface.signature)
    rows = _checked_rows(model, interface, example, draws)
    return _Attempt(
        model=model,
        interface=interface,
        before=before,
        draws=draws,
        rows=rows,
        has_example=example is not None,
        path=path,
        opset=opset,
        on_stage=on_stage,
    )


def _checked_rows(
    model: keras.Model,
    interface: Interface,
    example: Array | Mapping[str, Array] | None,
    draws: Draws,
) -> dict[str, Array]:
    """Rows for the checks of the file, for which the model itself passes its checks."""
    require_every_dropout(model, draws)
    texts = text.sample_texts(all_layers(model))
    rows = describe.check_rows(interface.signature, example, check.ROWS, texts)
    require_any_batch(interface, rows, draws)
    few = [row[:_FEW] for row in rows.values()]
    try:
        require_no_hidden_draws(model, interface, few, draws)
    except tf.errors.InvalidArgumentError as error:
        raise ExportError(
            f"the model cannot be run with {_FEW} rows, so its rows are not independent: "
            f"{str(error).splitlines()[0]}"
        ) from error
    return rows


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """One way through the stages.

    Attributes:
        model, path, opset, on_stage: see `export_model`.
        interface: of the model.
        before: its fingerprint, which no stage may change.
        draws: what is exported as sites.
        rows: input name to the rows of the checks.
        has_example: whether they were given.
    """

    model: keras.Model
    interface: Interface
    before: Source
    draws: Draws
    rows: dict[str, Array]
    has_example: bool
    path: Path
    opset: int
    on_stage: Callable[[str], None]

    def export(self, said: Annotations, source: Source | None) -> Manifest:
        """Export with these draws, or else with custom layers run twice as a whole."""
        try:
            return self._export(said, source)
        except check.DifferenceError:
            whole = _custom_layers_twice(self.model, self.draws)
            if whole == self.draws:
                raise
            # A custom layer may differ in training beyond its dropout. Then the whole layer is
            # run with training on and off, and the flag selects the result.
            return replace(self, draws=whole)._export(said, source)

    def _export(self, said: Annotations, source: Source | None) -> Manifest:
        """Emit, convert, check and write."""
        signature, interface, draws = self.interface.signature, self.interface, self.draws
        expected, names = self._expected()
        self.on_stage(STAGES[1])
        traced = emit(interface, signature, draws)
        self.on_stage(STAGES[2])
        flagged = [*signature, flag_signature()]
        lowered = to_onnx(traced.function, flagged, self.opset)
        lower(lowered, traced.sites, [spec.name for spec in signature], names)
        placed = with_places(lowered, list(traced.sites.values()), self.rows)
        self.on_stage(STAGES[3])
        manifest = Manifest(
            task=detect_task(lowered.graph.outputs),
            inputs=describe.input_specs(signature, self.rows, self.has_example),
            outputs=describe.output_specs(
                names,
                traced.function.get_concrete_function(*flagged).outputs,
                outputs_after_sites(lowered),
            ),
            sites=placed,
            kept_off=draws.kept_off,
            same_seed=describe.same_seeds(traced),
            tools=describe.tool_versions(),
            source=source or self.before,
        )
        manifest = describe.with_annotations(manifest, said)
        check.require_probabilities(manifest, expected.off.outputs)
        with draft_of(self.path) as draft:
            onnx.save(ir.to_proto(lowered), draft)
            checks = check.check_artifact(draft, manifest, expected)
            if fingerprint(self.model) != self.before:
                raise ExportError("the export changed the Keras model. No file was written.")
            manifest = manifest.model_copy(update={"checks": checks})
            lowered.metadata_props[METADATA_KEY] = manifest.model_dump_json()
            onnx.save(ir.to_proto(lowered), draft)
            _require_loadable(draft)
            self.on_stage(STAGES[4])
        for note in describe.notes(manifest):
            log.warning("%s", note)
        return manifest

    def _expected(self) -> tuple[check.Expected, list[str]]:
        """The outputs of Keras, and their names."""
        names: list[str] = []

        def named(training: bool, *inputs: Any) -> list[Any]:
            outputs = self.interface.named_outputs(training, *inputs)
            names[:] = [name for name, _ in outputs]
            return [value for _, value in outputs]

        half = any(layer.compute_dtype == "float16" for layer in all_layers(self.model))
        least = LEAST_OF_HALF if half else LEAST

        def ask(run: Callable[..., list[Any]]) -> check.Reference:
            def answer(rows: Sequence[Array]) -> list[Array]:
                tensors = [tf.constant(x) for x in rows]
                return [np.asarray(value) for value in run(named, tensors, self.draws)]

            return reference(self.model, answer, list(self.rows.values()), least)

        try:
            off = ask(inference)
        except tf.errors.InvalidArgumentError as error:
            if not any(spec.dtype == tf.string for spec in self.interface.signature):
                raise
            raise ExportError(
                f"Keras raises an error for some texts, and a graph cannot, so it would give wrong "
                f"numbers for them: {str(error).splitlines()[0]} Let the model take any text."
            ) from error
        # If training changes nothing but dropout, the output without it equals that of
        # inference; a normalization in training mode would be detected.
        still = ask(still_training) if self.draws.twice else off
        return check.Expected(self.rows, off, still), names


def _custom_layers_twice(model: keras.Model, draws: Draws) -> Draws:
    """The same draws, but custom layers that draw run twice as a whole, on and off."""
    own = [
        id(layer)
        for layer in [model, *all_layers(model)]
        if id(layer) in draws.stochastic
        and accepts_training(layer)
        and not type(layer).__module__.startswith("keras.")
    ]
    return replace(draws, twice=draws.twice.union(own))


def _require_loadable(draft: Path) -> None:
    """Check that a server would load the file."""
    try:
        load_model(draft, on_misfit="ignore")  # a calibration there is that of the file before
    except MCDropoutError as error:
        raise ExportError(
            f"the exported model fails load-time verification: {error} No file was written."
        ) from error
