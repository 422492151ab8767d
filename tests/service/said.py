"""Demo models whose manifests say something else."""

from pathlib import Path
from typing import Any

import onnx

from service.manifest import METADATA_KEY, parse_manifest
from tests.conftest import STORE


def save_said(path: Path, model: str = "digits", **said: Any) -> Path:
    """Write a demo model with other fields in its manifest."""
    proto = onnx.load(STORE / model / "1" / "model.onnx")
    (entry,) = (prop for prop in proto.metadata_props if prop.key == METADATA_KEY)
    manifest = parse_manifest(entry.value, str(path)).model_copy(update=said)
    entry.value = manifest.model_dump_json()
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(proto, path)
    return path
