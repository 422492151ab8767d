"""Commands that query a running server, to copy and paste into a terminal."""

import json
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from service.manifest import InputSpec, Manifest
from service.protocol.datatypes import BY_DTYPE

#: Columns of a terminal, and the indentation of commands in it.
WIDTH, INDENT = 80, "  "
#: Stands for an API key, which is never printed.
_KEY = '"Authorization: Bearer $KEY"'


def program() -> str:
    """How this command was called, since it is not always on the PATH."""
    called = sys.argv[0]
    if Path(called).name != "mcdropout":
        return f"{shlex.quote(sys.executable)} -m mcdropout"
    on_path = shutil.which("mcdropout")
    return "mcdropout" if on_path and Path(on_path).samefile(called) else shlex.quote(called)


def prediction_command(url: str, name: str, manifest: Manifest, *, keys: bool = False) -> str:
    """A command that predicts an example row of a model of a server.

    It is curl with the row if its lines fit into a terminal; else `mcdropout predict`, which
    reads the row from the server.

    Args:
        url: of the server, without a slash at the end.
        name: of the model.
        manifest: of the model.
        keys: whether the server requires a key, which the command then takes from $KEY.

    Returns:
        Lines of at most `WIDTH` columns with `INDENT`, if the address itself is not longer.
    """
    address = f"{url}/v1/models/{quote(name, safe='')}"
    rows = example_rows(manifest)
    instance = next(iter(rows.values())) if len(rows) == 1 else rows
    body = json.dumps({"instances": [instance], "passes": manifest.passes, "seed": 7})
    header = [f"-H {_KEY}"] if keys else []
    curl = _lines([f"curl {shlex.quote(f'{address}:predict')}", *header, f"-d {shlex.quote(body)}"])
    if max(map(len, curl.splitlines())) <= WIDTH:
        return curl
    key = ['--api-key "$KEY"'] if keys else []
    return _lines([f"{program()} predict", f"{shlex.quote(address)} --example", *key])


def example_rows(manifest: Manifest) -> dict[str, Any]:
    """One row of each input, as nested lists: the manifest's example, or zeros."""
    return {spec.name: _example(spec) for spec in manifest.inputs}


def _example(spec: InputSpec) -> Any:
    if spec.example is not None:
        return spec.example
    fill = "" if spec.dtype == "string" else 0
    dtype = BY_DTYPE[spec.dtype].numpy
    return np.full([size or 1 for size in spec.shape[1:]], fill, dtype).tolist()


def _lines(parts: Sequence[str]) -> str:
    """A command in one line if it fits, else with a line for each of its parts."""
    whole = INDENT + " ".join(parts)
    return whole if len(whole) <= WIDTH else INDENT + f" \\\n{INDENT * 2}".join(parts)
