"""Manifests of models that are not there."""

from typing import Any

from service.manifest import Manifest, OutputSpec, Source


def output(name: str = "y", *shape: int | None, dtype: str = "float32", **more: Any) -> OutputSpec:
    """An output whose rows are of `shape`."""
    whole = (None, *shape)
    return OutputSpec(name=name, shape=whole, dtype=dtype, stochastic=True, **more)


def manifest(*outputs: OutputSpec, **more: Any) -> Manifest:
    """What a manifest says of `outputs`."""
    facts = {"task": "other", "inputs": (), "sites": (), "tools": {}} | more
    source = Source(kind="memory", name="m", sha256="0")
    return Manifest(outputs=outputs, source=source, **facts)
