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
from service.graph.beside import read_beside, sidecar_of
from service.manifest import Manifest


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
        yield str(sidecar), parse_annotations(read_beside(sidecar, "sidecar"), str(sidecar))
