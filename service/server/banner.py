"""The banner that the server prints when its models are loaded."""

import json
import shlex
from typing import Any

import numpy as np

from service.manifest import InputSpec, Manifest
from service.protocol.datatypes import BY_DTYPE
from service.repository.registry import Repository, State

#: Maximum length of the command; a longer one is not printed.
_MAX_BODY = 4000


def banner(repository: Repository, url: str) -> str:
    """The state of each model, and a curl command for one of them."""
    lines = [f"Serving {repository.folder} at {url}  (documentation: {url}/docs)"]
    if not repository.names():
        lines.append("There are no models yet. Put one at <name>/<version>/model.onnx.")
    for name in repository.names():
        version = repository.version(name)
        reason = f": {version.reason}" if version.reason else ""
        lines.append(f"  {name}{version.numbered}: {version.state}{reason}")
    for name in repository.names():
        version = repository.version(name)
        command = (
            curl_command(url, name, version.predictor.manifest)
            if version.state is State.READY and version.predictor
            else None
        )
        if command:
            return "\n".join([*lines, "", "Try it:", "", command, ""])
    return "\n".join([*lines, ""])


def curl_command(url: str, name: str, manifest: Manifest) -> str | None:
    """A command that requests a prediction of an example row; None if it is too long."""
    rows = example_rows(manifest)
    instance = next(iter(rows.values())) if len(rows) == 1 else rows
    body = json.dumps({"instances": [instance], "passes": manifest.passes, "seed": 7})
    if len(body) > _MAX_BODY:
        return None
    return (
        f"curl -s {shlex.quote(f'{url}/v1/models/{name}:predict')} "
        f"-H 'Content-Type: application/json' -d {shlex.quote(body)}"
    )


def example_rows(manifest: Manifest) -> dict[str, Any]:
    """One row of each input, as nested lists: the manifest's example, or zeros."""
    return {spec.name: _example(spec) for spec in manifest.inputs}


def _example(spec: InputSpec) -> Any:
    if spec.example is not None:
        return spec.example
    fill = "" if spec.dtype == "string" else 0
    dtype = BY_DTYPE[spec.dtype].numpy
    return np.full([size or 1 for size in spec.shape[1:]], fill, dtype).tolist()
