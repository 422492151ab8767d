"""Copies a model file with annotations, and with the data files that hold its weights."""

import filecmp
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx

from service import annotations
from service.annotations import Annotations, annotated
from service.draft import draft_of
from service.errors import ModelError
from service.graph.artifact import read_artifact
from service.graph.beside import sidecar_of
from service.graph.model_file import data_files
from service.graph.sidecar import read_annotations
from service.inference.load import load_model
from service.inference.predictor import Predictor
from service.manifest import METADATA_KEY, Manifest


def write_annotated(
    source: Path, target: Path, said: Annotations, *, activate_dropout: bool = False
) -> Predictor:
    """Write a copy of a model file with annotations, if it passes load-time verification.

    Annotations that the file or a sidecar beside it has already are kept where `said` gives no
    others. A file without a manifest gets no manifest, but annotations in its metadata, so that
    everything else is still read from its graph.

    Args:
        source: the model file.
        target: of the copy; may be `source`. It is replaced.
        said: the annotations.
        activate_dropout: see `load_model`.

    Returns:
        The copy, loaded.

    Raises:
        ArtifactError: the file cannot be read, or the annotations do not fit it.
        ProofError: the copy fails load-time verification.
        ModelError: a sidecar would override the copy, or a data file is in its place.
    """
    sidecar = sidecar_of(target)
    if os.path.lexists(sidecar):
        raise ModelError(
            f"{sidecar} overrides what {target} would say. Change it there, or move it away."
        )
    manifest = annotated(read_artifact(source, activate_dropout).manifest, said, str(source))
    model = onnx.load(source, load_external_data=False)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, _described(metadata, manifest, said, source))
    folders = source.resolve().parent, target.resolve().parent
    with _copies(data_files(model), *folders), draft_of(target.resolve()) as draft:
        draft.write_bytes(model.SerializeToString())
        # A calibration beside the target is that of the file before.
        return load_model(draft, activate_dropout=activate_dropout, on_misfit="ignore")


def _described(
    metadata: dict[str, str], manifest: Manifest, said: Annotations, source: Path
) -> dict[str, str]:
    """The metadata of the copy: with the manifest, or what was ever said where there is none."""
    if METADATA_KEY in metadata:
        metadata.pop(annotations.METADATA_KEY, None)
        return metadata | {METADATA_KEY: manifest.model_dump_json()}
    earlier = (before.model_fields_set for _, before in read_annotations(source, metadata))
    whole = annotations.of_manifest(manifest, said.model_fields_set.union(*earlier))
    return metadata | {annotations.METADATA_KEY: whole.model_dump_json(exclude_unset=True)}


@contextmanager
def _copies(names: Iterable[str], source: Path, target: Path) -> Iterator[None]:
    """Files of one folder in another; those that were not there leave if the block fails.

    Raises:
        ModelError: one is there with other content, and may be another model's.
    """
    copied: list[Path] = []
    try:
        for name in () if source == target else names:
            copy = target / name
            if not copy.exists():
                with draft_of(copy) as draft:
                    shutil.copyfile(source / name, draft)
                copied.append(copy)
            elif not filecmp.cmp(source / name, copy, shallow=False):
                raise ModelError(
                    f"{copy} is there with other weights than {source / name}. Give the copy a "
                    "folder of its own."
                )
        yield
    except BaseException:
        for copy in copied:
            copy.unlink()
        raise
