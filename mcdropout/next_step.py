"""What to do with a file that was just exported: commands to copy and paste."""

import os
import shlex
from pathlib import Path

from service.manifest import Manifest
from service.repository.scan import is_version
from service.server.commands import INDENT, prediction_command, program

#: Where `mcdropout serve` listens.
_URL = "http://127.0.0.1:8000"


def next_step(path: Path, manifest: Manifest) -> str:
    """How to query and serve the model of a file.

    Args:
        path: of the file; a server finds it at `<store>/<name>/<version>/model.onnx`.
        manifest: of the model.
    """
    folder = path.resolve().parent
    steps = {"Query it": f"{INDENT}{program()} predict {shlex.quote(str(path))} --example"}
    if is_version(folder.name):
        store = folder.parent.parent
        shown = str(store) if path.is_absolute() else os.path.relpath(store)
        steps["Serve it"] = f"{INDENT}{program()} serve --models {shlex.quote(shown)}"
        steps["Query the server"] = prediction_command(_URL, folder.parent.name, manifest)
    text = "\n".join(f"{title}:\n\n{command}\n" for title, command in steps.items())
    if not is_version(folder.name):
        text += (
            "\nA server looks for <store>/<name>/<version>/model.onnx, where the version is a "
            f"whole number. To serve it, export it with --output {path.parent / '1'}"
        )
    return text
