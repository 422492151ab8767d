"""What to do with a file that was just exported: commands to copy and paste."""

import shlex
import shutil
import sys
from pathlib import Path

from service.manifest import Manifest
from service.repository.scan import is_version
from service.server.banner import curl_command

#: Maximum length of a command with an example row, in characters.
_LONGEST = 1000
#: Where `mcdropout serve` listens.
_URL = "http://127.0.0.1:8000"


def next_step(path: Path, manifest: Manifest) -> str:
    """How to query and serve the model of a file.

    Args:
        path: of the file; a server finds it at `<store>/<name>/<version>/model.onnx`.
        manifest: of the model.
    """
    folder = path.resolve().parent
    steps = {"Query it": f"{_program()} predict {shlex.quote(str(path))} --example"}
    if is_version(folder.name):
        store = shlex.quote(str(path.parent.parent.parent))
        steps["Serve it"] = f"{_program()} serve --models {store}"
        curl = curl_command(_URL, folder.parent.name, manifest)
        if curl is not None and len(curl) <= _LONGEST:
            steps["Query the server"] = curl
    text = "\n".join(f"{title}:\n\n  {command}\n" for title, command in steps.items())
    if not is_version(folder.name):
        text += (
            "\nA server looks for <store>/<name>/<version>/model.onnx, where the version is a "
            f"whole number. To serve it, export it with --output {path.parent / '1'}"
        )
    return text


def _program() -> str:
    """How this command was called, since it is not always on the PATH."""
    called = sys.argv[0]
    if Path(called).name != "mcdropout":
        return f"{shlex.quote(sys.executable)} -m mcdropout"
    on_path = shutil.which("mcdropout")
    return "mcdropout" if on_path and Path(on_path).samefile(called) else shlex.quote(called)
