"""What a model file is annotated with: in its metadata, and in a sidecar file beside it.

A sidecar serves a model file that cannot be rewritten, and overrides what the file says.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from service.annotations import (
    METADATA_KEY,
    Annotations,
    annotated,
    parse_annotations,
    require_fit,
)
from service.errors import ArtifactError
from service.graph.model_file import opened
from service.manifest import Manifest

_SUFFIX = ".mcdropout.json"
#: A million labels fit.
_MAX_BYTES = 16 << 20


def sidecar_of(path: Path) -> Path:
    """Where the sidecar of a model file is looked for: `model.mcdropout.json` of `model.onnx`."""
    return path.with_suffix(_SUFFIX)


def with_annotations(manifest: Manifest, path: Path, metadata: Mapping[str, str]) -> Manifest:
    """The manifest of a model, with annotations in the place of what it says.

    Args:
        manifest: what the model file's manifest says, or its graph.
        path: of the file.
        metadata: of the file.

    Raises:
        ArtifactError: annotations are malformed or do not fit; naming the file and the field.
    """
    require_fit(manifest, str(path))
    for where, said in read_annotations(path, metadata):
        manifest = annotated(manifest, said, where)
    return manifest


def read_annotations(path: Path, metadata: Mapping[str, str]) -> Iterator[tuple[str, Annotations]]:
    """Annotations of a model file, and where they are; later ones override earlier ones.

    Raises:
        ArtifactError: they cannot be read, or are malformed.
    """
    if METADATA_KEY in metadata:
        where = f"{path}, metadata {METADATA_KEY!r}"
        yield where, parse_annotations(metadata[METADATA_KEY], where)
    sidecar = sidecar_of(path)
    if os.path.lexists(sidecar):
        yield str(sidecar), parse_annotations(_read(sidecar), str(sidecar))


def _read(path: Path) -> bytes:
    try:
        with opened(path) as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > _MAX_BYTES:
        raise ArtifactError(f"{path} has more than the {_MAX_BYTES >> 20} MiB that a sidecar may.")
    return content
