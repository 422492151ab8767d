"""The banner that the server prints when its models are loaded."""

from collections.abc import Iterable

from service.repository.registry import Repository, State
from service.repository.versions import Version
from service.server.commands import prediction_command


def banner(repository: Repository, url: str, *, keys: bool = False, page: bool = False) -> str:
    """Where the models are served, and a command that queries one of them.

    The log has a line for each model, with the reason if it failed.

    Args:
        repository: whose models are loaded.
        url: of the server, without a slash at the end.
        keys: whether the server requires an API key.
        page: whether it has a web page at /.
    """
    versions = [repository.version(name) for name in repository.names()]
    ready = [version for version in versions if version.state is State.READY]
    others = [f"{v.name} ({v.state})" for v in versions if v.state is not State.READY]
    count = f"{len(ready)} of {len(versions)}" if others else str(len(versions))
    lines = [
        f"Serving {count} model{'' if len(versions) == 1 else 's'} of {repository.folder} at {url}",
        "Open it in a browser to try them; /docs documents the API."
        if page
        else "Its API is documented at /docs.",
    ]
    if others:
        lines.append(f"The log has the reasons why these cannot answer: {', '.join(others)}.")
    if not versions:
        lines.append("There are no models yet. Put one at <name>/<version>/model.onnx.")
    if command := _command(ready, url, keys):
        where = " with one of the server's API keys in $KEY" if keys else ""
        lines += ["", f"Try it{where}:", "", command]
    return "\n".join([*lines, ""])


def _command(ready: Iterable[Version], url: str, keys: bool) -> str | None:
    """Of the first model that can answer."""
    for version in ready:
        if version.predictor:
            manifest = version.predictor.manifest
            return prediction_command(url, version.name, manifest, keys=keys)
    return None
